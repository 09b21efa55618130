package core

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/mcp-credential/mcp-credential/cmd/call"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/helper"
)

type statusCmd struct {
	common
	Output string `short:"o" help:"table or json." enum:"table,json" default:"table"`
}

// Run shows the state of every sign-in. A record that cannot be read is reported after the others.
func (c statusCmd) Run(ctx context.Context, s streams) error {
	w, err := wire(c.common, s)
	if err != nil {
		return err
	}
	if w.broken != nil {
		call.Say(s.err, "warning: "+w.broken.Error())
	}
	lines, err := w.helper.Status(ctx)
	if c.Output == "json" {
		enc := json.NewEncoder(s.out)
		enc.SetIndent("", "  ")
		if werr := enc.Encode(lines); werr != nil {
			return werr
		}
		return err
	}
	if len(lines) == 0 && err == nil {
		call.Say(s.err, "nobody is signed in; sign in with: mcp-credential login URL")
	}
	for i, l := range lines {
		if i > 0 {
			fmt.Fprintln(s.out)
		}
		show(s.out, l, c.Home, time.Now())
	}
	return err
}

// show prints one sign-in, of the home that was named or of the usual one, as a heading and aligned rows.
func show(out io.Writer, l helper.Line, home string, now time.Time) {
	fmt.Fprintln(out, plain(l.Server))
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(t, "  %s\t%s\n", name, value)
		}
	}
	row("account", plain(strings.TrimSpace(l.Account+" "+bracketed(l.User))))
	row("identity", l.Identity)
	row("access token", tokenWords(l, home, now))
	if l.Identity == "" {
		row("refresh token", refreshWords(l, now))
	}
	row("scopes", plain(listed(l.Scopes, "(the server's default)")))
	if !credential.HasScopes(l.Granted, l.Scopes) {
		row("granted", plain(listed(l.Granted, "(not said)")))
	}
	row("issuer", plain(l.Issuer))
	row("client", plain(l.ClientID))
	if l.Identity == "" {
		row("approved", ago(l.ApprovedAt, now)+" by "+l.ApprovedBy)
		row("kept in", l.Keychain+"; data key hot in: "+l.HotKey)
	} else {
		row("named by", l.ApprovedBy)
		row("token kept", l.Keychain)
	}
	if !l.LastRefresh.IsZero() {
		row("last refresh", ago(l.LastRefresh, now))
	}
	if l.LastError != nil {
		row("last error", ago(l.LastError.At, now)+": "+plain(l.LastError.Text))
	}
	if !l.NextTry.IsZero() {
		row("next try", "in "+span(l.NextTry.Sub(now)))
	}
	_ = t.Flush()
}

func tokenWords(l helper.Line, home string, now time.Time) string {
	switch l.State {
	case helper.StateValid:
		if l.Expiry.IsZero() {
			return "valid; the server did not say until when"
		}
		return "valid for " + span(l.Expiry.Sub(now))
	case helper.StateExpired:
		return "expired " + ago(l.Expiry, now) + "; the next get refreshes it"
	case helper.StateSealed:
		if l.Identity != "" {
			return "sealed; the next get opens it or asks for another"
		}
		if !l.Expiry.IsZero() {
			return "valid for " + span(l.Expiry.Sub(now)) + ", sealed; the next get asks the keychain"
		}
		return "sealed; the next get asks the keychain"
	case helper.StateDead:
		return "none; " + call.Login{Account: l.Account, Home: home}.Hint(&credential.Error{Kind: credential.SignInDead, Server: l.Server})
	}
	return "none; the next get refreshes it"
}

func refreshWords(l helper.Line, now time.Time) string {
	if !l.HasRefresh {
		return "none"
	}
	text := "obtained " + ago(l.RefreshObtained, now)
	if l.RefreshExpires.IsZero() {
		return text + "; its end is not known"
	}
	if !now.Before(l.RefreshExpires) {
		return text + "; ended " + ago(l.RefreshExpires, now)
	}
	return text + "; ends in " + span(l.RefreshExpires.Sub(now))
}

func bracketed(s string) string {
	if s == "" {
		return ""
	}
	return "(" + s + ")"
}

func plain(s string) string { return credential.Printable(s, 400) }

// ago says in words how long before now t was.
func ago(t, now time.Time) string {
	if t.IsZero() {
		return "at an unknown time"
	}
	if d := now.Sub(t); d >= time.Second {
		return span(d) + " ago"
	}
	return "just now"
}

// span says a duration in its two largest units.
func span(d time.Duration) string {
	d = max(d, 0).Round(time.Second)
	days, hours, minutes, seconds := int(d.Hours())/24, int(d.Hours())%24, int(d.Minutes())%60, int(d.Seconds())%60
	switch {
	case days > 0:
		return fmt.Sprintf("%d d %d h", days, hours)
	case hours > 0:
		return fmt.Sprintf("%d h %d min", hours, minutes)
	case minutes > 0:
		return fmt.Sprintf("%d min %d s", minutes, seconds)
	}
	return fmt.Sprintf("%d s", seconds)
}
