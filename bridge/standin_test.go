package bridge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/bridge/signin"
	"github.com/mcp-credential/mcp-credential/bridge/token"
	"github.com/mcp-credential/mcp-credential/credential"
)

// shortly is what the host's first request waits in these tests.
const shortly = 100 * time.Millisecond

const toolsChanged = `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`

func listOf(method string) string {
	return `{"jsonrpc":"2.0","id":"list","method":"` + method + `"}`
}

func toolList(names ...string) string {
	for i, name := range names {
		names[i] = `{"name":"` + name + `","inputSchema":{"type":"object"}}`
	}
	return `{"jsonrpc":"2.0","id":"list","result":{"tools":[` + strings.Join(names, ",") + `]}}`
}

// lister answers a list with a result under its own identifier.
func lister(w http.ResponseWriter, a arrival, list string) bool {
	answer(w, strings.Replace(list, `"list"`, string(a.m.ID), 1))
	return true
}

// greeting is what a server with tools says first.
const greeting = `{"jsonrpc":"2.0","id":"hello","result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"fake","version":"1"},"instructions":"from the server"}}`

// served answers initialize and tools/list of a server with these tools.
func served(w http.ResponseWriter, a arrival, names ...string) bool {
	switch a.m.Method {
	case "initialize":
		w.Header().Set("Mcp-Session-Id", "session")
		return lister(w, arrival{m: a.m}, strings.Replace(greeting, `"hello"`, `"list"`, 1))
	case "tools/list":
		return lister(w, a, toolList(names...))
	}
	return false
}

// mind is a Memory.
type mind struct {
	mu   sync.Mutex
	kept []byte
}

func (m *mind) Recall(context.Context) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept, nil
}

func (m *mind) Remember(_ context.Context, update func([]byte) []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept = update(m.kept)
	return nil
}

// remembers is what a server with these tools leaves behind.
func remembers(t *testing.T, names ...string) *mind {
	t.Helper()
	m := &mind{}
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool { return served(w, a, names...) })
	r := run(t, Config{URL: f.url(), StartWait: patience, Memory: m})
	r.hello("{}")
	r.send(listOf("tools/list"))
	r.holds(`"tools"`)
	r.finish()
	if m.kept == nil {
		t.Fatal("nothing is remembered")
	}
	return m
}

// A server that answers in time is passed on byte for byte, also where it has a tool that is named like ours.
func TestServerInTime(t *testing.T) {
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
		return served(w, a, "a", "sign_in_to_test")
	})
	r := run(t, Config{URL: f.url(), Name: "test", StartWait: patience})
	r.send(initialize("{}"))
	r.want(greeting)
	r.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`, listOf("tools/list"))
	r.want(toolList("a", "sign_in_to_test"))
	r.send(call1("1", "sign_in_to_test"))
	r.want(result("1", "ok"))
	r.silent()
}

// A host that starts while the server is down has an answer in time, and hears of the tools when the server is up.
func TestServerDownAtStart(t *testing.T) {
	for name, c := range map[string]struct {
		memory   *mind
		tools    string
		promised []string
	}{
		"never seen": {nil, toolList(), []string{`"protocolVersion":"2025-11-25"`, `"tools":{"listChanged":true}`, `"prompts":{"listChanged":true}`, "could not be used"}},
		"remembered": {remembers(t, "a", "b"), toolList("a", "b"), []string{`"capabilities":{"tools":{"listChanged":true}}`, `"instructions":"from the server"`, `"name":"fake"`}},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			place := l.Addr().String()
			l.Close()
			config := Config{URL: "http://" + place + "/mcp", Name: "test", StartWait: shortly}
			if c.memory != nil {
				config.Memory = c.memory
			}
			r := run(t, config)
			began := time.Now()
			r.send(initialize("{}"))
			r.holds(append(c.promised, `"id":"hello"`)...)
			if took := time.Since(began); took > shortly+500*time.Millisecond {
				t.Errorf("the host had its answer after %s", took)
			}
			r.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`, listOf("tools/list"))
			for said := r.next(); said != c.tools; said = r.next() {
				if !strings.Contains(said, "cannot be used yet") {
					t.Fatalf("the host got %s", said)
				}
			}
			r.send(`{"jsonrpc":"2.0","id":"p","method":"ping"}`, call1("1", "b"))
			r.waitFor(`{"jsonrpc":"2.0","id":"p","result":{}}`)
			serveAt(t, place, func(w http.ResponseWriter, _ *http.Request, a arrival) bool { return served(w, a, "b", "c") })
			r.waitFor(result("1", "ok"), toolsChanged)
			r.send(listOf("tools/list"), listOf("prompts/list"))
			if c.memory == nil {
				r.waitFor(toolList("b", "c"), `{"jsonrpc":"2.0","id":"list","result":{"prompts":[]}}`)
				return
			}
			r.waitFor(toolList("b", "c"))
		})
	}
}

// waitFor waits for these lines in any order, whatever comes in between.
func (r *rig) waitFor(lines ...string) {
	r.t.Helper()
	left := map[string]bool{}
	for _, line := range lines {
		left[line] = true
	}
	for len(left) > 0 {
		delete(left, r.next())
	}
}

// A host that starts with nobody signed in has a tool that signs in; it goes when somebody has, from wherever.
func TestSignInTool(t *testing.T) {
	f, v, open := locked(t)
	guardedFirst := f.on
	f.on = func(w http.ResponseWriter, r *http.Request, a arrival) bool {
		return guardedFirst(w, r, a) || served(w, a, "a", "sign_in_to_test")
	}
	r := run(t, Config{URL: f.url(), Name: "test", StartWait: shortly, Tokens: v, Hint: hint})
	r.send(initialize("{}"))
	r.holds(`"id":"hello"`, "nobody has signed in; sign in with: mcp-credential login URL")
	r.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	r.tools("sign_in_to_test")
	r.send(call1("1", "sign_in_to_test"))
	r.until(`"id":1`, `"isError":true`, "run this in a terminal: mcp-credential login URL")
	open.Store(true)
	r.waitFor(toolsChanged)
	r.tools("a") // not the server's twin of ours
	r.send(call1("2", "sign_in_to_test"), call1("3", "a"))
	r.until(`"id":2`, "all is well", "Its tools are: a.")
	r.waitFor(result("3", "ok"))
	if n := len(f.arrivals("POST tools/call")); n != 1 {
		t.Errorf("the server was called %d times", n)
	}
}

// tools lists the tools and wants these, in order.
func (r *rig) tools(names ...string) {
	r.t.Helper()
	r.send(listOf("tools/list"))
	line := r.until(`"id":"list"`)
	var got []string
	for _, part := range strings.Split(line, `{"name":"`)[1:] {
		name, _, _ := strings.Cut(part, `"`)
		got = append(got, name)
	}
	if fmt.Sprint(got) != fmt.Sprint(names) {
		r.t.Fatalf("the tools are %q, not %q", got, names)
	}
}

// until reads on to the first line that contains each text.
func (r *rig) until(texts ...string) string {
	r.t.Helper()
next:
	for {
		line := r.next()
		for _, text := range texts {
			if !strings.Contains(line, text) {
				continue next
			}
		}
		return line
	}
}

// dying is a token.Source whose token t1 was revoked, with the sign-in; renewed, it has t2.
func dying(renewed *atomic.Bool) *vault {
	return &vault{give: func(n token.Need, _ int) (credential.Token, error) {
		switch {
		case renewed.Load():
			return good("t2"), nil
		case n.Refused.IsZero():
			return good("t1"), nil
		}
		return credential.Token{}, &credential.Error{Kind: credential.SignInDead, Text: "the sign-in has ended", Server: "URL"}
	}}
}

// A sign-in that dies in the middle brings the tool, and takes it away when it is renewed; a call in between says what to do.
func TestSignInDiesInTheMiddle(t *testing.T) {
	var valid atomic.Value
	valid.Store("t1")
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
		return guarded(w, a, valid.Load().(string)) || served(w, a, "a")
	})
	var renewed atomic.Bool
	v := dying(&renewed)
	r := run(t, Config{URL: f.url(), Name: "test", StartWait: patience, Tokens: v, Hint: hint})
	r.hello("{}")
	r.tools("a")
	valid.Store("t2")
	r.send(call1("1", "a"))
	r.waitFor(toolsChanged, `{"jsonrpc":"2.0","id":1,"result":{"content":[{"text":"test: the sign-in has ended; sign in with: mcp-credential login URL","type":"text"}],"isError":true}}`)
	r.tools("sign_in_to_test", "a")
	renewed.Store(true)
	r.waitFor(toolsChanged)
	r.tools("a")
	r.send(call1("2", "a"))
	r.waitFor(result("2", "ok"))
}

// A sign-in that the tool starts is for another token than the one that the server has refused, though that has not expired.
func TestToolAfterRefusal(t *testing.T) {
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
		return a.m.Method == "tools/call" && guarded(w, a, "t2") || served(w, a, "a")
	})
	var renewed atomic.Bool
	v := dying(&renewed)
	first := true
	g := &guest{come: func(_ context.Context, n token.Need, w signin.Way) error {
		if n.Refused.Reveal() != "t1" {
			t.Errorf("the sign-in is for %v", n)
		}
		if first {
			first = false
			return errors.New("nobody came")
		}
		renewed.Store(w.Again)
		return nil
	}}
	r := run(t, Config{URL: f.url(), Name: "test", StartWait: patience, Tokens: v, Interactive: g, Hint: hint})
	r.hello("{}")
	r.tools("a")
	r.send(call1("1", "a"))
	r.until(`"id":1`, `"isError":true`, "nobody came")
	r.send(call1("2", "sign_in_to_test"))
	r.until(`"id":2`, "all is well")
	r.send(call1("3", "a"))
	r.waitFor(result("3", "ok"))
}

// The tool starts one sign-in and says at once what the person has to do; called again it waits, and says how far that is.
func TestToolStartsOneSignIn(t *testing.T) {
	f, v, open := locked(t)
	come := make(chan struct{})
	g := &guest{unreached: true, come: func(ctx context.Context, _ token.Need, w signin.Way) error {
		if w.Code == nil || !w.Again {
			return fmt.Errorf("not by a code: %v", w)
		}
		w.Code(signin.Code{Address: "https://as/device", Code: "ABCD", Server: "URL", Issuer: "https://as", Scopes: []string{"s1", "s2"}})
		select {
		case <-come:
			open.Store(true)
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
	r := run(t, Config{URL: f.url(), Name: "test", StartWait: shortly, Tokens: v, Interactive: g, Hint: hint})
	r.hello("{}")
	r.tools("sign_in_to_test")
	r.send(call1("1", "sign_in_to_test"))
	r.until(`"id":1`, "opens https://as/device on any device and enters the code ABCD", "URL receive access tokens of https://as with the scopes s1 s2")
	r.send(call1("2", "sign_in_to_test"))
	close(come)
	r.until(`"id":2`, "all is well")
	r.tools()
	if n := g.offered(); n != 1 {
		t.Errorf("%d sign-ins", n)
	}
}
