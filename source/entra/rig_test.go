package entra

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
	fake "github.com/mcp-credential/mcp-credential/internal/fakeworld/entra"
	"github.com/mcp-credential/mcp-credential/internal/webclient"
	"github.com/mcp-credential/mcp-credential/source"
)

// rig is a Source in front of a strict Entra ID, with the client that the product uses.
type rig struct {
	*Source
	t     *testing.T
	world *fake.World
	trace []string
	naps  []time.Duration
	onNap func(n int)
	slept atomic.Int64
	way   source.Way

	mu     sync.Mutex
	opened []string
	page   fakeworld.Page
	shown  chan string
}

func newRig(t *testing.T, o fake.Options) *rig {
	t.Helper()
	r := &rig{t: t, shown: make(chan string, 1)}
	o.Now = r.clock
	w, err := fake.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	r.world = w
	r.Source = New(source.Config{
		Client: client(t, w), Trace: func(s string) { r.trace = append(r.trace, s) }, Jitter: func() float64 { return 0 },
		Now: r.clock, Sleep: r.nap,
	})
	return r
}

// clock is everybody's; nap turns it.
func (r *rig) clock() time.Time { return time.Now().Add(time.Duration(r.slept.Load())) }

func (r *rig) nap(ctx context.Context, d time.Duration) error {
	r.slept.Add(int64(d))
	r.naps = append(r.naps, d)
	if r.onNap != nil {
		r.onNap(len(r.naps))
	}
	return ctx.Err()
}

// client is the product's, led to the world by its proxy and certificate.
func client(t *testing.T, w *fake.World) *http.Client {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, w.CertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := webclient.New(webclient.Options{Proxy: w.Proxy, Getenv: func(name string) string {
		if name == "SSL_CERT_FILE" {
			return file
		}
		return ""
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func (r *rig) target(n int) credential.Target {
	return credential.Target{Server: r.world.ServerURL(n), Resource: r.world.ServerURL(n), Scopes: []string{fake.Scope(n)}, ClientID: fake.Client,
		Endpoints: credential.Endpoints{Issuer: fake.Issuer}}
}

// The rig is the person: a browser that agrees to everything.

func (r *rig) Way() source.Way { return r.way }

func (r *rig) OpenURL(ctx context.Context, url string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.opened = append(r.opened, url)
	if r.way == source.Browser {
		go r.visit(context.WithoutCancel(ctx), url)
	}
	return nil
}

// visit follows the sign-in page's form to our loopback page.
func (r *rig) visit(ctx context.Context, url string) {
	c := http.Client{Transport: r.Client.Transport}
	page, err := fakeworld.VisitWith(ctx, &c, url)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.page = page
	if err != nil {
		r.t.Errorf("the browser: %v", err)
	}
}

func (r *rig) ShowCode(_ context.Context, url, _, code string) error {
	r.shown <- url + " " + code
	return nil
}

func (r *rig) Tell(text string) { r.t.Log(text) }

// PastedRedirect goes to the address and copies where it leads.
func (r *rig) PastedRedirect(_ context.Context, wrong error) (string, error) {
	if wrong != nil {
		return "", wrong
	}
	c := http.Client{Transport: r.Client.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Get(r.opened[len(r.opened)-1])
	if err != nil {
		return "", err
	}
	resp.Body.Close()
	return strings.Replace(resp.Header.Get("Location"), "?", "/?", 1), nil // as browsers show it
}

func (r *rig) Registered(string, credential.Secret) error { return nil }

func (r *rig) signIn(t credential.Target) credential.Answer {
	r.t.Helper()
	a, err := r.Interactive(r.t.Context(), t, r)
	if err != nil {
		r.t.Fatalf("sign in: %v", err)
	}
	return a
}

// silent refreshes and checks that what was kept is what the answer holds.
func (r *rig) silent(t credential.Target, g credential.Grant) (credential.Answer, error) {
	r.t.Helper()
	var kept []credential.Grant
	a, err := r.Silent(r.t.Context(), t, g, "none", func(g credential.Grant) error { kept = append(kept, g); return nil })
	if err == nil && (len(kept) != 1 || !kept[0].RefreshToken.Equal(a.Grant.RefreshToken)) {
		r.t.Errorf("kept %d times", len(kept))
	}
	return a, err
}

func (r *rig) ping(n int, token credential.Secret) int {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodGet, r.world.ServerURL(n)+"/ping", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token.Reveal())
	resp, err := r.Client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// requests counts what reached the sign-in host.
func (r *rig) requests() int {
	sum := 0
	for name, n := range r.world.Stats().HTTP {
		if !strings.Contains(name, "/mcp") {
			sum += n
		}
	}
	return sum
}

func wantKind(t *testing.T, err error, kind credential.Kind) {
	t.Helper()
	if err == nil || credential.KindOf(err) != kind {
		t.Fatalf("error %v of kind %v, want %v", err, credential.KindOf(err), kind)
	}
}
