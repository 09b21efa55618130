package core

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

// elicits is a host that shows addresses.
const elicits = `{"elicitation":{"url":{}}}`

func TestBridgeSignIn(t *testing.T) {
	bin := programs(t)
	t.Run("killed", func(t *testing.T) { bridgeKilled(t, bin) })
	t.Run("declined", func(t *testing.T) { bridgeDeclined(t, bin) })
	t.Run("denied", func(t *testing.T) { bridgeDenied(t, bin) })
	t.Run("not shown", func(t *testing.T) { bridgeNotShown(t, bin) })
	t.Run("ahead", func(t *testing.T) { bridgeAhead(t, bin) })
}

// kill ends the bridge as a host does that has lost its patience.
func (b *bridged) kill() {
	_ = b.cmd.Process.Kill()
	_ = b.cmd.Wait()
}

// elicited returns the bridge's request to show an address.
func (b *bridged) elicited() reply {
	b.t.Helper()
	r := b.next()
	if r.Method != "elicitation/create" || r.Params.URL == "" {
		b.t.Fatalf("%+v, and no elicitation", r)
	}
	return r
}

// fails checks that the next message is an error that says what happened and what to do.
func (b *bridged) fails(server, why string) {
	b.t.Helper()
	r := b.next()
	if r.Error == nil || !strings.Contains(r.Error.Message, why) || !strings.Contains(r.Error.Message, "sign in with: mcp-credential login "+server) {
		b.t.Fatalf("%+v: %+v", r, r.Error)
	}
}

// A bridge whose predecessor ended while the host showed an address has it shown anew, however that one ended.
func bridgeKilled(t *testing.T, bin string) {
	w := world(t, fakeworld.Options{})
	home := homeDir(t)
	for _, end := range []func(*bridged){(*bridged).kill, (*bridged).end} {
		b := startBridge(t, bin, home, nil, w.ServerURL())
		b.hello(elicits)
		b.ready()
		b.elicited()
		end(b)
	}
	b := startBridge(t, bin, home, nil, w.ServerURL())
	b.hello(elicits)
	b.ready()
	b.elicited()
}

// A sign-in without a refresh token is offered for renewal while its token still serves.
func bridgeAhead(t *testing.T, bin string) {
	w := world(t, fakeworld.Options{AccessTTL: 10 * time.Second})
	w.Set(func(k *fakeworld.Behaviour) { k.Token = map[string]any{"refresh_token": nil} })
	home := homeDir(t)
	login := program(t, bin, home, []string{"BROWSER=" + filepath.Join(bin, "fakebrowser"+suffix())}, "login", w.ServerURL())
	if out, err := login.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b := startBridge(t, bin, home, nil, w.ServerURL())
	b.hello(elicits)
	b.ready()
	asked := b.elicited()
	b.echo(1)
	if r := b.next(); r.ID != float64(1) || r.Result == nil {
		t.Fatalf("%+v, and the last token still serves", r)
	}
	w.Set(func(k *fakeworld.Behaviour) { k.Token = nil })
	if _, err := fakeworld.Visit(t.Context(), asked.Params.URL); err != nil {
		t.Fatal(err)
	}
	b.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%q,"result":{"action":"accept"}}`, asked.ID))
	b.echo(2)
	if r := b.next(); r.ID != float64(2) || r.Result == nil {
		t.Fatalf("%+v", r)
	}
	if s := w.Stats(); s.Authorizations != 2 || s.MCP[fakeworld.MCPExpired] != 0 {
		t.Errorf("%d sign-ins, MCP %v", s.Authorizations, s.MCP)
	}
}

// A person who has declined is not asked again by the next bridge, which says at once what to type, and works once that
// is done.
func bridgeDeclined(t *testing.T, bin string) {
	w := world(t, fakeworld.Options{})
	home := homeDir(t)
	b := startBridge(t, bin, home, nil, w.ServerURL(), "--strict")
	b.hello(elicits)
	b.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%q,"result":{"action":"decline"}}`, b.elicited().ID))
	b.fails(w.ServerURL(), "declined")
	b.end()
	b = startBridge(t, bin, home, nil, w.ServerURL(), "--strict")
	for _, why := range []string{"was offered less than 10m0s ago", ""} {
		b.hello(elicits)
		b.fails(w.ServerURL(), why)
	}
	login := exec.Command(b.cmd.Path, "login", w.ServerURL())
	login.Env = append(b.cmd.Env, "BROWSER="+filepath.Join(bin, "fakebrowser"+suffix()))
	if out, err := login.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b.hello(elicits)
	b.ready()
}

// After a sign-in in the browser that was denied there, a bridge that starts anew waits for nobody.
func bridgeDenied(t *testing.T, bin string) {
	w := world(t, fakeworld.Options{})
	w.Set(func(k *fakeworld.Behaviour) { k.Deny = "access_denied" })
	home, env := homeDir(t), []string{"BROWSER=" + filepath.Join(bin, "fakebrowser"+suffix())}
	for _, why := range []string{"access was denied", "was offered less than 10m0s ago"} {
		b := startBridge(t, bin, home, env, w.ServerURL(), "--strict")
		b.hello("{}")
		b.fails(w.ServerURL(), why)
		b.end()
	}
}

// A host that says it shows addresses and does not leaves the browser.
func bridgeNotShown(t *testing.T, bin string) {
	w := world(t, fakeworld.Options{})
	b := startBridge(t, bin, homeDir(t), []string{"BROWSER=" + filepath.Join(bin, "fakebrowser"+suffix())}, w.ServerURL())
	b.hello(elicits)
	b.ready()
	b.echo(0)
	if r := b.next(); r.Result == nil {
		t.Fatalf("%+v", r)
	}
	w.RevokeAll()
	b.echo(1)
	b.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%q,"error":{"code":-32601,"message":"no"}}`, b.elicited().ID))
	if r := b.next(); r.ID != float64(1) || r.Result == nil {
		t.Fatalf("%+v", r)
	}
	if n := w.Stats().Authorizations; n != 2 {
		t.Errorf("%d sign-ins", n)
	}
}
