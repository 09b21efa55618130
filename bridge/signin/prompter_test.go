package signin

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
	"github.com/mcp-credential/mcp-credential/bridge/token"
	"github.com/mcp-credential/mcp-credential/credential"
)

// person is an Interactive whom no browser of this machine reaches.
type person struct {
	offers atomic.Int32
	signIn func(ctx context.Context, w Way) error
}

func (p *person) Reachable() bool { return false }

func (p *person) SignIn(ctx context.Context, _ token.Need, w Way) error {
	p.offers.Add(1)
	return p.signIn(ctx, w)
}

// source always has a token.
type source struct{}

func (source) Token(context.Context, token.Need) (credential.Token, error) { return good(), nil }

func good() credential.Token {
	return credential.Token{Access: credential.NewSecret("t"), Obtained: time.Now(), Expiry: time.Now().Add(time.Hour)}
}

// newPrompter returns a Prompter behind a host that shows addresses, and what that host reads.
func newPrompter(ctx context.Context, t *testing.T, p *person) (*Prompter, *io.PipeReader) {
	t.Helper()
	r, w := io.Pipe()
	host := NewHost(jsonrpc.NewWriter(w))
	host.Initialize(jsonrpc.Members([]byte(`{"capabilities":{"elicitation":{"url":{}}}}`)))
	host.Initialized()
	out := NewPrompter(ctx, Config{
		Interactive: p, Host: host, Server: "URL", Name: "test", Wait: time.Minute, Hint: func(error) string { return "" }, Log: func(string) {}, Now: time.Now,
	})
	out.Tokens = token.NewCache(ctx, token.Config{Source: source{}, Now: time.Now, Arrived: func(bool) {}, Last: func(credential.Token) {}})
	t.Cleanup(func() { r.Close() })
	return out, r
}

// An offer ahead of need does not come on top of a sign-in that is under way.
func TestOneSignIn(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	p, _ := newPrompter(ctx, t, &person{signIn: func(ctx context.Context, _ Way) error {
		<-ctx.Done()
		return ctx.Err()
	}})
	offer := func() *attempt {
		p.offered = time.Time{} // the pause between two offers is not what this is about
		p.Offer(good())
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.current
	}
	if first := offer(); first == nil || offer() != first {
		t.Error("no sign-in, or two at once")
	}
	end()
	p.Finish(10 * time.Second)
}

// A request whose need came up before a sign-in was completed goes on after it, and offers no second one.
func TestNeedBeforeSignIn(t *testing.T) {
	somebody := &person{signIn: func(context.Context, Way) error { return nil }}
	p, _ := newPrompter(t.Context(), t, somebody)
	for range 2 {
		if err := p.await(t.Context(), token.Need{}, 0, errors.New("nobody has signed in")); err != nil {
			t.Error(err)
		}
	}
	if n := somebody.offers.Load(); n != 1 {
		t.Errorf("offered %d times", n)
	}
}

// What the host answers to an address decides whether another way is tried.
func TestElicit(t *testing.T) {
	for answer, want := range map[string]string{
		`"result":{"action":"accept"}`:  "",
		`"result":{"action":"decline"}`: "the person has declined",
		`"error":{"code":-32601}`:       ErrNotShown.Error(),
	} {
		shown := make(chan error, 1)
		p, r := newPrompter(t.Context(), t, &person{signIn: func(ctx context.Context, w Way) error {
			err := w.Show(ctx, "https://as.example/authorize?a=1&b=2")
			shown <- err
			return err
		}})
		p.Offer(good())
		lines := make(chan jsonrpc.Message, 9)
		go func() {
			_ = jsonrpc.ReadLines(r, jsonrpc.Limit{Size: 1 << 20}, func(line []byte) {
				m, err := jsonrpc.Parse(line)
				if err != nil {
					t.Error(err)
				}
				lines <- m
			}, nil)
		}()
		m := <-lines
		if m.Method != "elicitation/create" || !strings.Contains(m.Params.Text("url"), "?a=1&b=2") || m.Params.Text("elicitationId") == "" {
			t.Errorf("%s", m.Raw)
		}
		response, err := jsonrpc.Parse([]byte(`{"jsonrpc":"2.0","id":` + string(m.ID) + `,` + answer + `}`))
		if err != nil || !p.Host.TakeResponse(response) {
			t.Fatalf("%v, or it is not ours", err)
		}
		got := ""
		if err := <-shown; err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %s, want %s", answer, got, want)
		}
		if want == "" {
			if m := <-lines; m.Method != "notifications/elicitation/complete" {
				t.Errorf("%s", m.Raw)
			}
		}
	}
	p, _ := newPrompter(t.Context(), t, &person{})
	if other, _ := jsonrpc.Parse([]byte(`{"id":"7","result":{}}`)); p.Host.TakeResponse(other) {
		t.Error("an answer to the server is taken")
	}
}

// A log message reaches a host that has finished the handshake and wants its level.
func TestNotify(t *testing.T) {
	r, w := io.Pipe()
	h := NewHost(jsonrpc.NewWriter(w))
	go func() {
		h.Notify("emergency", "too early")
		h.Initialized()
		h.Notify("info", "first")
		h.SetLevel("warning")
		h.Notify("info", "too low")
		h.Notify("warning", "second")
		w.Close()
	}()
	var got []string
	_ = jsonrpc.ReadLines(r, jsonrpc.Limit{Size: 1 << 20}, func(line []byte) {
		m, _ := jsonrpc.Parse(line)
		got = append(got, m.Params.Text("data"))
	}, nil)
	if strings.Join(got, ", ") != "first, second" {
		t.Errorf("the host got %q", got)
	}
}
