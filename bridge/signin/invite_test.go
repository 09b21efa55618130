package signin

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
	"github.com/mcp-credential/mcp-credential/bridge/token"
	"github.com/mcp-credential/mcp-credential/credential"
)

// invitee is an Interactive behind a host that shows no addresses.
type invitee struct {
	person
	reachable bool
}

func (p *invitee) Reachable() bool { return p.reachable }

func newInviter(t *testing.T, p Interactive) *Prompter {
	t.Helper()
	host := NewHost(jsonrpc.NewWriter(discarded{}))
	host.Initialize(nil)
	out := NewPrompter(t.Context(), Config{
		Interactive: p, Host: host, Server: "URL", Name: "test", Wait: time.Minute, Hint: func(error) string { return "" }, Log: func(string) {}, Now: time.Now,
	})
	out.Tokens = token.NewCache(t.Context(), token.Config{Source: source{}, Now: time.Now, Arrived: func(bool) {}, Last: func(credential.Token) {}})
	return out
}

type discarded struct{}

func (discarded) Write(p []byte) (int, error) { return len(p), nil }

// Somebody who asks for a sign-in gets one by the way that there is, and whoever asks again joins it and is told so.
func TestInvite(t *testing.T) {
	end := make(chan struct{})
	wait := func(ctx context.Context) error {
		select {
		case <-end:
			return errors.New("given up")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	code := Code{Address: "https://as/device", Code: "ABCD"}
	for name, c := range map[string]struct {
		reachable bool
		signIn    func(ctx context.Context, w Way) error
		by        Reached
		err       error
	}{
		"browser": {true, func(ctx context.Context, w Way) error {
			if w.Show != nil || w.Code != nil || !w.Again {
				return errors.New("not in the browser")
			}
			return wait(ctx)
		}, ByBrowser, nil},
		"code": {false, func(ctx context.Context, w Way) error {
			w.Code(code)
			return wait(ctx)
		}, ByCode, nil},
		"no code": {false, func(context.Context, Way) error { return ErrNoCode }, ByNothing, ErrNoCode},
	} {
		t.Run(name, func(t *testing.T) {
			p := &invitee{reachable: c.reachable}
			p.signIn = c.signIn
			prompter := newInviter(t, p)
			first, err := prompter.Invite(t.Context(), token.Need{}, 0)
			if err != nil || first.By != c.by || first.Again || c.by == ByCode && first.Code.Code != code.Code {
				t.Fatalf("%+v %v", first, err)
			}
			if c.err != nil {
				if <-first.Done; !errors.Is(first.Err(), c.err) {
					t.Errorf("it ended with %v", first.Err())
				}
				return
			}
			if again, err := prompter.Invite(t.Context(), token.Need{}, 0); err != nil || !again.Again || again.By != c.by || p.offers.Load() != 1 {
				t.Errorf("again: %+v %v, %d sign-ins", again, err, p.offers.Load())
			}
		})
	}
	close(end)
	late := newInviter(t, &invitee{})
	late.completed = 1
	if in, err := late.Invite(t.Context(), token.Need{}, 0); err != nil || in.Err() != nil || in.By != ByNothing {
		t.Errorf("after a sign-in: %+v %v", in, err)
	}
	nobody := newInviter(t, nil)
	in, err := nobody.Invite(t.Context(), token.Need{}, 0)
	if <-in.Done; err != nil || in.By != ByNothing || !errors.Is(in.Err(), ErrNobody) {
		t.Errorf("with nobody to ask: %+v %v", in, err)
	}
}
