package core

import (
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

// advised takes the command that an error names apart into its arguments.
func advised(t *testing.T, r reply) []string {
	t.Helper()
	if r.Error == nil {
		t.Fatalf("no error: %+v", r)
	}
	_, command, found := strings.Cut(r.Error.Message, "with: mcp-credential ")
	if !found {
		t.Fatalf("no command in %q", r.Error.Message)
	}
	return strings.Fields(command)
}

// What an error says to run signs in to what the bridge asks for, also where no browser can be opened.
func bridgeHints(t *testing.T, bin string) {
	w := world(t, fakeworld.Options{})
	home := homeDir(t)
	other := filepath.Join(home, "other")
	b := startBridge(t, bin, home, nil, w.ServerURL(), "--account", "work", "--client-id", fakeworld.PublicClient, "--scope", "mcp:write", "--home", other, "--strict")
	b.hello("{}")
	command := advised(t, b.next())
	want := []string{"login", w.ServerURL(), "--account", "work", "--client-id", fakeworld.PublicClient, "--scope", "mcp:write", "--home", other, "--no-browser"}
	if runtime.GOOS != "windows" && strings.Join(command, " ") != strings.Join(want, " ") { // there a path may need quotes
		t.Errorf("got %q, want %q", command, want)
	}
	succeed(t, bin, home, []string{"BROWSER=" + filepath.Join(bin, "fakebrowser"+suffix())}, want[:len(want)-1]...)
	b.hello("{}")
	b.ready()
}

// A tool that wants more than was granted: the command names what is missing, and grants it.
func bridgeStepsUp(t *testing.T, bin string) {
	w := world(t, fakeworld.Options{Scopes: []string{"mcp:read", "mcp:admin"}})
	w.Set(func(k *fakeworld.Behaviour) { k.ChallengeScopes = []string{"mcp:read"} })
	home := homeDir(t)
	browser := []string{"BROWSER=" + filepath.Join(bin, "fakebrowser"+suffix())}
	succeed(t, bin, home, browser, "login", w.ServerURL())
	w.Set(func(k *fakeworld.Behaviour) {
		k.RequireScopes, k.ChallengeScopes = []string{"mcp:admin"}, []string{"mcp:admin"}
	})
	b := startBridge(t, bin, home, nil, w.ServerURL(), "--strict")
	b.hello("{}")
	command := advised(t, b.next())
	if want := "login " + w.ServerURL() + " --scope mcp:admin --no-browser"; strings.Join(command, " ") != want && runtime.GOOS == "linux" {
		t.Errorf("got %q, want %q", command, want)
	}
	w.Set(func(k *fakeworld.Behaviour) { k.ChallengeScopes = []string{"mcp:read"} }) // what a server without a token is told is not more
	succeed(t, bin, home, browser, "login", w.ServerURL(), "--scope", "mcp:admin")
	b.hello("{}")
	b.ready()
}

// relative returns path as seen from the directory of this test, which the bridge has too and the processes that it
// starts do not.
func relative(t *testing.T, path string) string {
	t.Helper()
	here, err := os.Getwd()
	if err == nil {
		path, err = filepath.Rel(here, path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// A relative --ca-file serves the refreshes too, which happen in processes that run elsewhere.
func bridgePaths(t *testing.T, bin string) {
	w := world(t, fakeworld.Options{TLS: true, AccessTTL: 2 * time.Second})
	home := homeDir(t)
	ca := filepath.Join(home, "ca.pem")
	if err := os.WriteFile(ca, w.CertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	succeed(t, bin, home, []string{"BROWSER=" + filepath.Join(bin, "fakebrowser"+suffix()), "SSL_CERT_FILE=" + ca}, "login", w.ServerURL())
	b := startBridge(t, bin, home, nil, w.ServerURL(), "--ca-file", relative(t, ca))
	b.hello("{}")
	b.ready()
	for w.Stats().Token["refresh_token"] < 2 {
		if subject, failure := b.whoami(); subject == "" {
			t.Fatal(failure)
		}
	}
}

// So does a relative --client-secret-file the sign-in.
func bridgeSecret(t *testing.T, bin string) {
	w := world(t, fakeworld.Options{})
	home := homeDir(t)
	secret := filepath.Join(home, "secret")
	if err := os.WriteFile(secret, []byte(fakeworld.ConfidentialSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := startBridge(t, bin, home, []string{"BROWSER=" + filepath.Join(bin, "fakebrowser"+suffix())}, w.ServerURL(),
		"--client-id", fakeworld.ConfidentialClient, "--client-secret-file", relative(t, secret))
	b.hello("{}")
	b.ready()
}

func TestAbsolute(t *testing.T) {
	full, empty, name := filepath.Join(t.TempDir(), "a"), "", "b"
	before := full
	if err := absolute(&full, &empty, &name); err != nil || full != before || empty != "" || !filepath.IsAbs(name) || filepath.Base(name) != "b" {
		t.Errorf("%v %q %q %q", err, full, empty, name)
	}
}

// Zero means that requests do not wait; no flag means that they do.
func TestSignInWait(t *testing.T) {
	second, zero := time.Second, time.Duration(0)
	for _, c := range []struct {
		flag *time.Duration
		want time.Duration
	}{{nil, 0}, {&zero, -1}, {&second, time.Second}} {
		if got := (bridgeCmd{SignInWait: c.flag}).signInWait(); got != c.want {
			t.Errorf("got %v, want %v", got, c.want)
		}
	}
}

func TestBridgeHintHasItsFlags(t *testing.T) {
	t.Setenv("BROWSER", os.Args[0])
	c := bridgeCmd{Account: "work", ClientSecretFile: "/etc/a", Scope: []string{"a", "b"}}
	got := c.hint(&credential.Error{Kind: credential.StepUp, Server: somewhere, Scopes: []string{"b", "c"}})
	if want := "grant more with: mcp-credential login " + somewhere + " --account work --client-secret-file /etc/a --scope a --scope b --scope c"; got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if got := c.hint(credential.Fail(credential.Network, "away", nil)); strings.Contains(got, "login") || !strings.Contains(got, "--log-file") {
		t.Error(got)
	}
}

// TestEveryBridgeFlagIsDocumented finds a row of docs/hosts.md for each flag.
func TestEveryBridgeFlagIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/hosts.md")
	if err != nil {
		t.Fatal(err)
	}
	flags := 0
	for _, f := range reflect.VisibleFields(reflect.TypeFor[bridgeCmd]()) {
		if _, positional := f.Tag.Lookup("arg"); positional || f.Anonymous {
			continue
		}
		flags++
		name := f.Tag.Get("name")
		if name == "" {
			name = strings.ToLower(f.Name)
		}
		if !strings.Contains(string(text), "\n| `--"+name) {
			t.Errorf("docs/hosts.md has no row for --%s", name)
		}
	}
	if flags < 10 {
		t.Fatalf("only %d flags", flags)
	}
}
