package core

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/bridge/credentials"
	"github.com/mcp-credential/mcp-credential/bridge/token"
	"github.com/mcp-credential/mcp-credential/config"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

// succeed runs a program that must end well, and returns its stdout.
func succeed(t *testing.T, bin, home string, env []string, args ...string) string {
	t.Helper()
	cmd := program(t, bin, home, env, args...)
	var words bytes.Buffer
	cmd.Stderr = &words
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v: %s", args, err, words.String())
	}
	return string(out)
}

// whoami asks the server through the bridge as whom it is called: the subject, or the text of the error.
func (b *bridged) whoami() (subject, failure string) {
	b.t.Helper()
	b.send(`{"jsonrpc":"2.0","id":"who","method":"tools/call","params":{"name":"whoami","arguments":{}}}`)
	r := b.next()
	if r.Error != nil {
		return "", r.Error.Message
	}
	var result struct {
		Structured struct {
			Subject string `json:"subject"`
		} `json:"structuredContent"`
	}
	if err := json.Unmarshal(r.Result, &result); err != nil || result.Structured.Subject == "" {
		b.t.Fatalf("%v %+v", err, r)
	}
	return result.Structured.Subject, ""
}

// until calls every 100 ms until done is content with the answer.
func (b *bridged) until(done func(subject, failure string) bool) {
	b.t.Helper()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(slow); ; <-ticker.C {
		subject, failure := b.whoami()
		if done(subject, failure) {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("it did not happen; the last answer was %q %s", subject, failure)
		}
	}
}

// A bridge outlives edits of config.toml: it goes over to the account that the file names now, and never leads other
// callers back to the old one; what it cannot read it says once the token has ended, and forgets when it is mended.
func bridgeRereads(t *testing.T, bin string) {
	w := world(t, fakeworld.Options{AccessTTL: 3 * time.Second})
	home := homeDir(t)
	env := []string{"BROWSER=" + filepath.Join(bin, "fakebrowser"+suffix())}
	file := filepath.Join(home, "cred", config.FileName)
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, account := range []string{"personal", "work"} {
		w.Set(func(k *fakeworld.Behaviour) { k.User = account })
		succeed(t, bin, home, env, "login", w.ServerURL(), "--account", account)
	}
	b := startBridge(t, bin, home, nil, w.ServerURL())
	b.hello("{}")
	b.ready()
	if subject, failure := b.whoami(); subject != "personal" {
		t.Fatalf("without a configuration: %q %s", subject, failure)
	}

	write(fmt.Sprintf("[servers.%q]\naccount = \"work\"\n", w.ServerURL()))
	works := func() {
		t.Helper()
		if out := succeed(t, bin, home, nil, "get", "-o", "json", w.ServerURL()); !strings.Contains(out, `"account":"work"`) {
			t.Fatalf("the configuration says work, get answers %s", out)
		}
	}
	works()
	refreshes := w.Stats().Token["refresh_token"]
	b.until(func(string, string) bool { return w.Stats().Token["refresh_token"] >= refreshes+2 })
	works()
	if subject, failure := b.whoami(); subject != "work" {
		t.Errorf("after two refreshes the bridge calls as %q %s", subject, failure)
	}

	write("nonsense = 1\n")
	b.until(func(_, failure string) bool {
		return strings.Contains(failure, config.FileName+`: line 1: unknown setting "nonsense"`)
	})
	write(fmt.Sprintf("[servers.%q]\naccount = \"personal\"\n", w.ServerURL()))
	b.until(func(subject, _ string) bool { return subject == "personal" })
}

// wired is a wiring with a home of its own, and what writes its configuration.
func wired(t *testing.T) (*wiring, func(text string)) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "cred")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	w, err := wire(common{Home: dir}, streams{err: &bytes.Buffer{}})
	if err != nil {
		t.Fatal(err)
	}
	return w, func(text string) {
		if err := os.WriteFile(filepath.Join(dir, config.FileName), []byte(text), 0o600); err != nil {
			t.Error(err)
		}
	}
}

const somewhere = "https://mcp.example.com/mcp"

// A pointer must not say of an answer from an old configuration that it is of the present one.
func TestPointersCarryTheStampOfWhatWasLoaded(t *testing.T) {
	w, write := wired(t)
	write("notify = true\n")
	if size, mtime := w.helper.Config(); size != 0 || mtime != 0 || w.helper.Settings(somewhere).Notify {
		t.Errorf("before it was read the file counts: %d %d", size, mtime)
	}
	if err := w.reload(); err != nil || !w.helper.Settings(somewhere).Notify {
		t.Errorf("the file is not read again: %v", err)
	}
	size, mtime := w.helper.Config()
	if nowSize, nowMTime := w.configStamp(); size != nowSize || mtime != nowMTime || size == 0 {
		t.Errorf("the stamp %d %d is not that of the file, %d %d", size, mtime, nowSize, nowMTime)
	}
}

// Whatever is written into the file while many requests ask: the last state of it counts.
func TestBridgeTokensWhileTheConfigurationChanges(t *testing.T) {
	for _, name := range []string{"AZURE_TENANT_ID", "AZURE_CLIENT_ID"} {
		t.Setenv(name, "")
	}
	w, write := wired(t)
	tokens := credentials.NewTokens(w.account(credential.Query{URL: somewhere}), w.configStamp)
	ask := func() credential.Kind {
		_, err := tokens.Token(context.Background(), token.Need{})
		return credential.KindOf(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 50 {
				if kind := ask(); kind != credential.NotFound && kind != credential.BadInput {
					t.Errorf("%v", kind)
				}
			}
		})
	}
	for i := range 50 {
		write(strings.Repeat("# another size\n", i) + []string{"", "nonsense\n"}[i%2])
	}
	all.Wait()
	write("nonsense")
	if kind := ask(); kind != credential.BadInput {
		t.Errorf("with a file that cannot be used: %v", kind)
	}
	write("wait = \"7s\"\n")
	if kind := ask(); kind != credential.NotFound || w.wait != 7*time.Second {
		t.Errorf("with a mended file: %v, wait %s", kind, w.wait)
	}
}
