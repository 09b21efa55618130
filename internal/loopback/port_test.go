package loopback

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/credential"
)

// freePort is one that nobody has at this moment.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func never(t *testing.T) func() { return func() { t.Error("it waits for another sign-in") } }

// A registered address is waited at byte by byte, and on both addresses of localhost.
func TestListenAt(t *testing.T) {
	port := freePort(t)
	for _, c := range []struct {
		uri   string
		hosts []string // that the redirect reaches
	}{
		{"http://localhost:" + port + "/callback", []string{"127.0.0.1", "[::1]"}},
		{"http://localhost:" + port, []string{"127.0.0.1", "[::1]"}},
		{"http://127.0.0.1:" + port + "/a/b%20c/", []string{"127.0.0.1"}},
		{"http://[::1]:" + port + "/", []string{"[::1]"}},
	} {
		for _, host := range c.hosts {
			r, err := ListenAt(t.Context(), "right", c.uri, false, never(t))
			if err != nil {
				t.Fatal(err)
			}
			if r.URI() != c.uri {
				t.Errorf("%s became %s", c.uri, r.URI())
			}
			u, _ := url.Parse(c.uri)
			shown := u.Host
			u.Host = host + ":" + port
			visit := func(path, query, shown string) int {
				req := request(t, http.MethodGet, "http://"+u.Host+path+"?"+query, "")
				req.Host = shown
				return do(t, req).status
			}
			path := u.EscapedPath()
			for _, wrong := range [][3]string{{path + "/x", "state=right&code=c", shown}, {path, "state=wrong&code=c", shown}, {path, "state=right&code=c", "evil.example:" + port}} {
				if status := visit(wrong[0], wrong[1], wrong[2]); status != http.StatusNotFound {
					t.Errorf("%s: %v has status %d", c.uri, wrong, status)
				}
			}
			page := make(chan int, 1)
			go func() { page <- visit(path, "state=right&code=c", shown) }()
			arrival, err := r.Wait(t.Context())
			if err != nil || arrival.Values.Get("code") != "c" {
				t.Fatalf("%s: %v %v", c.uri, arrival.Values, err)
			}
			arrival.Done(nil)
			if status := <-page; status != http.StatusOK {
				t.Errorf("%s by %s: status %d", c.uri, host, status)
			}
			r.Close()
		}
	}
}

// Sign-ins that need the same port take turns, whichever process they are in.
func TestListenAtWaitsForItsTurn(t *testing.T) {
	uri := "http://localhost:" + freePort(t) + "/callback"
	first, err := ListenAt(t.Context(), "one", uri, false, never(t))
	if err != nil {
		t.Fatal(err)
	}
	said := make(chan struct{})
	type outcome struct {
		r   *Redirect
		err error
	}
	second := make(chan outcome, 1)
	go func() {
		r, err := ListenAt(t.Context(), "two", uri, false, func() { close(said) })
		second <- outcome{r, err}
	}()
	<-said
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := ListenAt(ctx, "three", uri, false, cancel); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	first.Close()
	got := <-second
	if got.err != nil {
		t.Fatal(got.err)
	}
	got.r.Close()
}

// A port of another program is not waited for.
func TestListenAtAForeignPort(t *testing.T) {
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	u, _ := url.Parse(web.URL)
	mute, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	go func() {
		for {
			c, err := mute.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	_, port, _ := net.SplitHostPort(mute.Addr().String())
	for _, port := range []string{u.Port(), port} {
		_, err := ListenAt(t.Context(), "s", "http://localhost:"+port+"/callback", false, never(t))
		if credential.KindOf(err) != credential.Misconfigured || !strings.Contains(err.Error(), "another program has the port of http://localhost:"+port) {
			t.Errorf("%v", err)
		}
	}
	for goos, want := range map[string]string{"windows": "Get-NetTCPConnection -State Listen -LocalPort 80", "linux": "ss -ltnp sport = :80", "darwin": "lsof -nP -iTCP:80"} {
		if got := whoHas(goos, "80"); !strings.Contains(got, want) {
			t.Errorf("%s: %s", goos, got)
		}
	}
	if _, err := ListenAt(t.Context(), "s", "https://elsewhere.example/callback", false, never(t)); credential.KindOf(err) != credential.BadInput {
		t.Errorf("elsewhere: %v", err)
	}
}
