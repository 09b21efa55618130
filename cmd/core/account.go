package core

import (
	"cmp"
	"context"
	"encoding/json"

	"github.com/mcp-credential/mcp-credential/cmd/call"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/helper"
)

type accountCmd struct {
	common
	URL    string `arg:"" optional:"" help:"Server URL; without one every server."`
	Label  string `arg:"" optional:"" help:"The account that callers get who name none."`
	Output string `short:"o" help:"table or json." enum:"table,json" default:"table"`
}

// accountLine is one account of a server.
type accountLine struct {
	Server  string `json:"server"`
	Account string `json:"account"`
	User    string `json:"user,omitempty"`
	Default bool   `json:"default"`
}

// Run lists the accounts of servers, or chooses the default one of a server.
func (c accountCmd) Run(ctx context.Context, s streams) error {
	w, err := wire(c.common, s)
	if err == nil {
		err = w.broken
	}
	url := ""
	if err == nil && c.URL != "" {
		url, err = credential.ParseServerURL(credential.WithScheme(c.URL))
	}
	if err != nil {
		return err
	}
	if c.Label != "" {
		return c.choose(ctx, w, url)
	}
	lines, err := w.helper.Status(ctx, url)
	if err != nil {
		return err
	}
	accounts := accountLines(lines, url, func(url string) string { return w.config.Servers[url].Account })
	if url != "" && len(accounts) == 0 {
		return &credential.Error{Kind: credential.NotFound, Server: url, Text: "nobody has signed in to " + url}
	}
	if c.Output == "json" {
		enc := json.NewEncoder(s.out)
		enc.SetIndent("", "  ")
		return enc.Encode(accounts)
	}
	if len(accounts) == 0 {
		call.Say(s.err, "nobody is signed in; sign in with: mcp-credential login URL")
		return nil
	}
	t := table{columns: []string{"SERVER", "ACCOUNT", "USER", "DEFAULT"}, shrink: 0}
	for _, a := range accounts {
		chosen := ""
		if a.Default {
			chosen = "yes"
		}
		t.add(cell{text: withoutScheme(a.Server)}, cell{text: cmp.Or(a.Account, "(none)")}, cell{text: a.User}, cell{text: chosen})
	}
	return t.write(s.out, styleOf(s.out))
}

// accountLines are the accounts of one server, or of all where url is empty. configured is the label that the configuration
// names for a server.
func accountLines(lines []helper.Line, url string, configured func(url string) string) []accountLine {
	out := []accountLine{}
	last := ""
	for _, l := range lines {
		if l.Identity != "" || url != "" && l.Server != url {
			continue
		}
		isDefault := l.Server != last // the first one of each server
		if label := configured(l.Server); label != "" {
			isDefault = l.Account == label
		}
		last = l.Server
		out = append(out, accountLine{Server: l.Server, Account: l.Account, User: l.User, Default: isDefault})
	}
	return out
}

func (c accountCmd) choose(ctx context.Context, w *wiring, url string) error {
	if label := w.config.Servers[url].Account; label != "" && label != c.Label {
		return credential.Fail(credential.Misconfigured, "config.toml names the account "+label+" for this server, which comes first; change it there", nil)
	}
	if err := w.helper.ChooseAccount(ctx, url, c.Label); err != nil {
		return err
	}
	call.Say(w.streams.err, url+" is served by the account "+c.Label+" where a caller names none")
	return nil
}
