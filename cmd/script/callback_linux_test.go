package script

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

// floodOfCallbacks is how many requests of each kind come to the page that waits for the browser.
const floodOfCallbacks = 200

// Redirects that are nobody's do not end a sign-in, are all refused, and cost no memory: a foreign state, none, one twice, a
// Host of another site (DNS rebinding), a POST, a page beside it, a long header. The right redirect then works, once.
func TestCallbackFlood(t *testing.T) {
	t.Parallel()
	d := newDupe(t)
	tabs := filepath.Join(t.TempDir(), "tabs")
	opener := filepath.Join(filepath.Dir(tabs), "opener")
	if err := os.WriteFile(opener, []byte("#!/bin/sh\necho \"$1\" > "+tabs+".new && mv "+tabs+".new "+tabs+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := d.program("login", d.world.ServerURL())
	cmd.Env = append(cmd.Env, "BROWSER="+opener)
	var words bytes.Buffer
	cmd.Stderr = &words
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	asked := awaitAddress(t, tabs)
	back, state := asked.Query().Get("redirect_uri"), asked.Query().Get("state")
	var all sync.WaitGroup
	for name, lie := range map[string]func(*http.Request){
		"a foreign state": func(r *http.Request) { r.URL.RawQuery = "code=c&state=foreign" },
		"no state":        func(r *http.Request) { r.URL.RawQuery = "code=c" },
		"a state twice":   func(r *http.Request) { r.URL.RawQuery = "code=c&state=" + state + "&state=" + state },
		"another host":    func(r *http.Request) { r.Host = "evil.example" },
		"a POST":          func(r *http.Request) { r.Method = http.MethodPost },
		"another page":    func(r *http.Request) { r.URL.Path = "/other" },
		"a long header":   func(r *http.Request) { r.Header.Set("X-Long", strings.Repeat("x", 1<<20)) },
	} {
		all.Go(func() { refusedAll(t, name, back+"?code=c&state="+url.QueryEscape(state), lie) })
	}
	all.Wait()
	if page, err := fakeworld.Visit(t.Context(), asked.String()); err != nil || !strings.Contains(page.Body, "The sign-in worked") {
		t.Fatalf("the right redirect: %v, %.300s", err, page.Body)
	}
	if resp, err := http.Get(back + "?code=c&state=" + url.QueryEscape(state)); err == nil && resp.StatusCode != http.StatusNotFound {
		t.Errorf("the state is taken again: %s", resp.Status)
	}
	if err := cmd.Wait(); err != nil || memory(cmd) > mostMemory {
		t.Errorf("%v, with %d KiB: %s", err, memory(cmd), words.String())
	}
	t.Logf("%d MiB", memory(cmd)>>10)
}

func awaitAddress(t *testing.T, tabs string) *url.URL {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-ticker.C {
		if text, err := os.ReadFile(tabs); err == nil {
			u, err := url.Parse(strings.TrimSpace(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			return u
		}
	}
	t.Fatal("no browser was opened")
	return nil
}

// refusedAll sends a flood of one kind, none of which may get a page of success.
func refusedAll(t *testing.T, name, address string, lie func(*http.Request)) {
	for range floodOfCallbacks {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Error(err)
			return
		}
		lie(r)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			continue // a header that is too long may end the connection
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode < 400 {
			t.Errorf("%s: %s", name, resp.Status)
			return
		}
	}
}
