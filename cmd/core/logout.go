package core

import (
	"context"
	"strings"

	"github.com/mcp-credential/mcp-credential/cmd/call"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/source"
)

type logoutCmd struct {
	common
	URL         string `arg:"" optional:"" help:"Server URL."`
	Account     string `help:"Only this account of the server." placeholder:"LABEL"`
	AllAccounts bool   `help:"Sign out of every account of the server without asking."`
	All         bool   `help:"Every server."`
}

// Run signs out.
func (c logoutCmd) Run(ctx context.Context, s streams) error {
	if (c.URL == "") != c.All {
		return credential.Fail(credential.Usage, "logout takes a server URL, or --all", nil)
	}
	url := ""
	if c.URL != "" {
		var err error
		if url, err = credential.ParseServerURL(c.URL); err != nil {
			return err
		}
	}
	w, err := wire(c.common, s)
	if err != nil {
		return err
	}
	w.allowAsking()
	if err := c.confirm(w, url); err != nil {
		return err
	}
	gone, err := w.helper.Logout(ctx, url, c.Account)
	if credential.KindOf(err) == credential.NotFound {
		call.Say(s.err, err.Error()) // what was asked for is so already
		return nil
	}
	for _, what := range gone {
		call.Say(s.err, "signed out of "+what)
	}
	if len(gone) == 0 && err == nil {
		call.Say(s.err, "nobody is signed in")
	}
	return err
}

// confirm asks where a server has several accounts and nobody has said which one is meant.
func (c logoutCmd) confirm(w *wiring, url string) error {
	accounts := w.helper.SignedIn(url)
	if url == "" || c.Account != "" || c.AllAccounts || len(accounts) < 2 {
		return nil
	}
	which := strings.Join(accounts, ", ")
	if !w.atTerminal() {
		return credential.Fail(credential.Usage, "several accounts are signed in to "+url+" ("+which+"); name one with --account, or all with --all-accounts", nil)
	}
	call.Say(w.streams.err, "signed in to "+url+": "+which)
	call.Say(w.streams.err, "type yes to sign all of them out:")
	if line, _ := w.person(source.Browser, false).typed(); line != "yes" {
		return credential.Fail(credential.Usage, "nobody was signed out; name an account with --account", nil)
	}
	return nil
}
