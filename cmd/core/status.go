package core

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/mcp-credential/mcp-credential/cmd/call"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/helper"
)

type statusCmd struct {
	common
	URL    string `arg:"" optional:"" help:"Server URL, for everything that is known about it; without one a table of all."`
	Watch  bool   `short:"w" help:"Show it again whenever it changes, until stopped."`
	Output string `short:"o" help:"table or json." enum:"table,json" default:"table"`
}

// Run shows the state of sign-ins. A record that cannot be read is reported after the others.
func (c statusCmd) Run(ctx context.Context, s streams) error {
	w, err := wire(c.common, s)
	if err != nil {
		return err
	}
	if c.URL != "" {
		if c.URL, err = credential.ParseServerURL(credential.WithScheme(c.URL)); err != nil {
			return err
		}
	}
	if w.broken != nil {
		call.Say(s.err, "warning: "+w.broken.Error())
	}
	if c.Watch {
		return c.watch(ctx, w)
	}
	lines, err := c.lines(ctx, w)
	if terr := c.tell(s, lines, s.out); terr != nil {
		return terr
	}
	return err
}

// lines are those that were asked for.
func (c statusCmd) lines(ctx context.Context, w *wiring) ([]helper.Line, error) {
	lines, err := w.helper.Status(ctx, c.URL)
	if c.URL != "" && len(lines) == 0 && err == nil {
		err = &credential.Error{Kind: credential.NotFound, Server: c.URL, Text: "nobody has signed in to " + c.URL}
	}
	return lines, err
}

// tell prints lines to out, in the style of the command's stdout.
func (c statusCmd) tell(s streams, lines []helper.Line, out io.Writer) error {
	now := time.Now()
	switch {
	case c.Output == "json":
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(lines)
	case len(lines) == 0:
		if c.URL == "" {
			call.Say(s.err, "nobody is signed in; sign in with: mcp-credential login URL")
		}
		return nil
	case c.URL == "":
		return overview(lines, now).write(out, styleOf(s.out))
	}
	for i, l := range lines {
		if i > 0 {
			fmt.Fprintln(out)
		}
		show(out, l, c.Home, now)
	}
	return nil
}

// watchPause is how often watch looks.
const watchPause = time.Second

// watch shows lines again whenever they have changed: on a terminal in place, else one after the other.
func (c statusCmd) watch(ctx context.Context, w *wiring) error {
	tick := time.NewTicker(watchPause)
	defer tick.Stop()
	f, ok := w.streams.out.(*os.File)
	inPlace := ok && call.Terminal(f) && c.Output == "table"
	var last []byte
	for {
		lines, err := c.lines(ctx, w)
		if err != nil && len(lines) == 0 && credential.KindOf(err) != credential.NotFound {
			return err
		}
		var text bytes.Buffer
		if len(lines) > 0 {
			_ = c.tell(w.streams, lines, &text)
		} else {
			text.WriteString("nobody is signed in\n")
		}
		if !bytes.Equal(text.Bytes(), last) {
			last = text.Bytes()
			if inPlace {
				_, _ = io.WriteString(w.streams.out, "\x1b[H\x1b[2J") // to the first line, and clear
			}
			if _, err := w.streams.out.Write(last); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// overview is one row for each sign-in.
func overview(lines []helper.Line, now time.Time) *table {
	t := &table{columns: []string{"SERVER", "ACCOUNT", "ACCESS TOKEN", "SIGN-IN"}, shrink: 0}
	for _, l := range lines {
		account := cmp.Or(l.Account, l.User)
		if l.Identity != "" {
			account = "(" + l.Identity + ")"
		}
		t.add(cell{text: withoutScheme(l.Server)}, cell{text: account}, tokenCell(l, now), signInCell(l, now))
	}
	return t
}

func tokenCell(l helper.Line, now time.Time) cell {
	switch {
	case l.State == helper.StateDead:
		return cell{"none", bad}
	case l.State == helper.StateExpired:
		return cell{"expired " + shortAgo(l.Expiry, now), ""}
	case l.State == helper.StateNone:
		return cell{"none yet", ""}
	case l.State == helper.StateSealed && l.Expiry.IsZero():
		return cell{"sealed", ""}
	case l.Expiry.IsZero():
		return cell{"valid", good}
	}
	return cell{"valid for " + short(l.Expiry.Sub(now)), good}
}

func signInCell(l helper.Line, now time.Time) cell {
	switch {
	case l.State == helper.StateDead:
		return cell{"ended; sign in again", bad}
	case !l.NextTry.IsZero():
		return cell{"retry in " + short(l.NextTry.Sub(now)), doubt}
	case l.LastError != nil:
		return cell{"refresh failed " + shortAgo(l.LastError.At, now), doubt}
	case l.Identity != "":
		return cell{"not needed", good}
	case !l.HasRefresh:
		return cell{"ends with the token", doubt}
	case l.RefreshExpires.IsZero():
		return cell{"good", good}
	case !now.Before(l.RefreshExpires):
		return cell{"ended " + shortAgo(l.RefreshExpires, now), bad}
	}
	return cell{"ends in " + short(l.RefreshExpires.Sub(now)), good}
}

// short says a duration in its largest unit.
func short(d time.Duration) string {
	words := strings.Fields(span(d))
	return words[0] + " " + words[1]
}

func shortAgo(t, now time.Time) string {
	if now.Sub(t) < time.Second {
		return "just now"
	}
	return short(now.Sub(t)) + " ago"
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
	if l.Bound {
		row("bound", "to a key of the sign-in (DPoP): only the bridge can use the tokens")
	}
	row("scopes", plain(listed(l.Scopes, "(the server's default)")))
	if !credential.HasScopes(l.Granted, l.Scopes) {
		row("granted", plain(listed(l.Granted, "(not said)")))
	}
	row("issuer", plain(l.Issuer))
	row("client", plain(l.ClientID))
	if l.Identity == "" {
		row("approved", ago(l.ApprovedAt, now)+" by "+l.ApprovedBy)
		row("forwarded to", plain(strings.Join(l.ForwardedTo, ", ")))
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
