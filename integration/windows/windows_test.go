//go:build wine && linux

package windows

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
	"github.com/mcp-credential/mcp-credential/internal/fakeworld/mcpserver"
)

// TestFromSignInToSignOut is the life of a sign-in, in homes with names that Windows users have.
func TestFromSignInToSignOut(t *testing.T) {
	long := strings.Repeat(strings.Repeat("x", 60)+`\`, 4) + "home"
	for name, home := range map[string]string{"plain": "home", "spaces and umlauts": "Jürgen Müßig", "300 characters": strings.ReplaceAll(long, `\`, "/")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := world(t, fakeworld.Options{})
			m := newMachine(t, home)
			m.signIn(w)
			first := m.must("", "get", w.ServerURL())
			if again := m.must("", "get", w.ServerURL()); again != first || !strings.HasPrefix(first, "at_") {
				t.Errorf("%q, then %q", first, again)
			}
			m.must("", "erase", w.ServerURL())
			if second := m.must("", "get", w.ServerURL()); second == first || !strings.HasPrefix(second, "at_") {
				t.Errorf("after erase: %q", second)
			}
			if status := m.must("", "status", w.ServerURL()); !strings.Contains(status, "Credential Manager") {
				t.Errorf("status: %s", status)
			}
			m.must("", "logout", w.ServerURL())
			if r := m.run("", "get", "--prompt", "never", w.ServerURL()); r.code != 3 || r.stdout != "" {
				t.Errorf("after logout: exit %d, %q, %s", r.code, r.stdout, r.stderr)
			}
			if s := w.Stats(); s.Reuse != 0 || s.TokenOK["refresh_token"] != 1 || s.Revocations == 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestDeviceSignIn(t *testing.T) {
	t.Parallel()
	w := world(t, fakeworld.Options{})
	w.Set(func(b *fakeworld.Behaviour) { b.Device = "approve" })
	m := newMachine(t, "home")
	m.must("", "login", "--device", w.ServerURL())
	if token := m.must("", "get", w.ServerURL()); !strings.HasPrefix(token, "at_") {
		t.Errorf("%q", token)
	}
}

// TestHotKey: after the first get the data key is in the logon session, and the front answers without the keychain.
func TestHotKey(t *testing.T) {
	t.Parallel()
	w := world(t, fakeworld.Options{})
	m := newMachine(t, "home")
	m.signIn(w)
	m.must("", "get", w.ServerURL())
	if r := m.run("", "get", "--verbose", w.ServerURL()); r.code != 0 || strings.Contains(r.stderr, "keychain") || !strings.Contains(r.stderr, "cache: a token that is valid for") {
		t.Errorf("exit %d: %s", r.code, r.stderr)
	}
	if status := m.must("", "status", w.ServerURL()); !strings.Contains(status, "hot in: Windows Credential Manager, this logon session") {
		t.Errorf("status: %s", status)
	}
}

// TestTwentyAtOnce: one token request, and everybody has its answer.
func TestTwentyAtOnce(t *testing.T) {
	w := world(t, fakeworld.Options{})
	m := newMachine(t, "home")
	m.signIn(w)
	m.must("", "erase", w.ServerURL())
	w.ResetStats()
	var mu sync.Mutex
	var all sync.WaitGroup
	answers := map[string]int{}
	for range 20 {
		all.Go(func() {
			r := m.run("", "get", "--wait", "60s", w.ServerURL())
			mu.Lock()
			defer mu.Unlock()
			answers[fmt.Sprintf("%d %s%s", r.code, r.stdout, r.stderr)]++
		})
	}
	all.Wait()
	if s := w.Stats(); len(answers) != 1 || s.Token["refresh_token"] != 1 || s.Reuse != 0 {
		t.Errorf("%v, %d token requests", answers, s.Token["refresh_token"])
	}
}

// TestFormats: each format, with the line ends of Windows and with the mark that its editors put before a text.
func TestFormats(t *testing.T) {
	t.Parallel()
	w := world(t, fakeworld.Options{})
	m := newMachine(t, "home")
	m.signIn(w)
	token := strings.TrimSpace(m.must("", "get", w.ServerURL()))
	origin, path, _ := strings.Cut(strings.TrimPrefix(w.ServerURL(), "http://"), "/")
	git := "capability[]=authtype\r\nprotocol=http\r\nhost=" + origin + "\r\npath=" + path + "\r\n\r\n"
	request := "{\r\n  \"url\": \"" + w.ServerURL() + "\"\r\n}\r\n"
	for name, c := range map[string]struct {
		stdin string
		args  []string
		want  string
	}{
		"token":                     {"", []string{"get", w.ServerURL()}, token + "\n"},
		"headers":                   {"", []string{"get", "--output", "headers", w.ServerURL()}, `{"Authorization":"Bearer ` + token + `"}` + "\n"},
		"header":                    {"", []string{"get", "--output", "header", w.ServerURL()}, "Authorization: Bearer " + token + "\n"},
		"git, CR LF":                {git, []string{"get", "--input", "git"}, "credential=" + token},
		"git, with a mark":          {"\ufeff" + git, []string{"get", "--input", "git"}, "credential=" + token},
		"json, CR LF":               {request, []string{"get", "--input", "json"}, token},
		"json, with a mark":         {"\ufeff" + request, []string{"get", "--input", "json"}, token},
		"json without being named":  {request, []string{"get"}, token},
		"json to token, with flags": {request, []string{"get", "--input", "json", "--output", "token"}, token + "\n"},
	} {
		if r := m.run(c.stdin, c.args...); r.code != 0 || !strings.Contains(r.stdout, c.want) || strings.Contains(r.stdout, "\r") {
			t.Errorf("%s: exit %d, %q, %s", name, r.code, r.stdout, r.stderr)
		}
	}
	if r := m.start("git-credential-mcp", git, "get"); r.code != 0 || !strings.Contains(r.stdout, "credential="+token) {
		t.Errorf("git's helper: exit %d, %q, %s", r.code, r.stdout, r.stderr)
	}
	if r := m.start("git-credential-mcp", strings.ReplaceAll(git, origin, "github.com"), "get"); r.code != 0 || r.stdout != "" || r.stderr != "" {
		t.Errorf("git's helper, for a host that is not ours: exit %d, %q, %s", r.code, r.stdout, r.stderr)
	}
	m.must("\ufeff{\"url\":\"https://mcp.example.com/mcp\",\r\n\"access_token\":\"a-gift\",\"expires_in\":3600}\r\n", "store")
	if gift := m.must("", "get", "https://mcp.example.com/mcp"); gift != "a-gift\n" {
		t.Errorf("what was stored: %q", gift)
	}
	m.must("{\"url\":\"https://mcp.example.com/mcp\",\r\n\"access_token\":\"a-gift\"}\r\n", "erase")
	if r := m.run("", "get", "--prompt", "never", "https://mcp.example.com/mcp"); r.code != 3 || r.stdout != "" {
		t.Errorf("what was erased: exit %d, %q", r.code, r.stdout)
	}
}

// TestLargeRefreshToken: one of 6 kB, as Entra ID gives them, is more than an item of the Credential Manager takes.
func TestLargeRefreshToken(t *testing.T) {
	t.Parallel()
	w := world(t, fakeworld.Options{})
	large := "rt_" + strings.Repeat("0123456789abcdef", 6<<10/16)
	w.Set(func(b *fakeworld.Behaviour) { b.Token = map[string]any{"refresh_token": large} })
	m := newMachine(t, "home")
	m.signIn(w)
	m.must("", "erase", w.ServerURL())
	w.ResetStats()
	m.run("", "get", "--prompt", "never", w.ServerURL()) // the server has never given it out, and refuses it
	if s := w.Stats(); s.Token["refresh_token"] != 1 || !slices.Contains(w.Secrets(), large) {
		t.Errorf("the token was not presented as it was stored; %d requests", s.Token["refresh_token"])
	}
	m.must("", "logout", w.ServerURL())
}

// TestRefreshOutlivesItsCaller: a host ends its helper after a while; the refresh goes on, and the next one has its token.
func TestRefreshOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	w := world(t, fakeworld.Options{})
	m := newMachine(t, "home")
	m.signIn(w)
	m.must("", "erase", w.ServerURL())
	w.Set(func(b *fakeworld.Behaviour) {
		b.Faults = []fakeworld.Fault{{On: fakeworld.OnToken, Times: 1, Delay: fakeworld.Duration(4 * time.Second)}}
	})
	w.ResetStats()
	if r := m.run("", "get", "--wait", "1s", w.ServerURL()); r.code != 4 || r.stdout != "" {
		t.Fatalf("exit %d, %q, %s", r.code, r.stdout, r.stderr)
	}
	if token := m.must("", "get", "--wait", "60s", w.ServerURL()); !strings.HasPrefix(token, "at_") {
		t.Errorf("%q", token)
	}
	if s := w.Stats(); s.Token["refresh_token"] != 1 || s.Reuse != 0 {
		t.Errorf("%d token requests", s.Token["refresh_token"])
	}
}

// TestBridge: a host over pipes, whose lines end as Windows' do.
func TestBridge(t *testing.T) {
	t.Parallel()
	w := world(t, fakeworld.Options{MCP: mcpserver.Handler()})
	m := newMachine(t, "home")
	m.signIn(w)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	c := m.command(ctx, "mcp-credential", "bridge", w.ServerURL())
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	words := &watched{}
	c.Stderr = words
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(stdin, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`+"\r\n")
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() {
		t.Fatalf("no answer: %v\n%s", lines.Err(), words.text())
	}
	var answer struct {
		ID     int
		Result struct{ ServerInfo struct{ Name string } }
	}
	if err := json.Unmarshal(lines.Bytes(), &answer); err != nil || answer.ID != 1 || answer.Result.ServerInfo.Name == "" {
		t.Errorf("%v: %s", err, lines.Text())
	}
	_ = stdin.Close()
	if err := c.Wait(); err != nil {
		t.Errorf("at the end of its stdin: %v\n%s", err, words.text())
	}
}

// TestPackages runs the Go tests of each package that has a file for Windows, and of those that everything else stands on.
func TestPackages(t *testing.T) {
	packages := map[string]bool{}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && (d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") && path != root) {
			return filepath.SkipDir
		}
		if err == nil && strings.HasSuffix(path, "_windows.go") {
			rel, _ := filepath.Rel(root, filepath.Dir(path))
			packages[rel] = true
		}
		return err
	})
	delete(packages, "cmd/core") // its tests build programs, and Go is not there; the programs run in the other tests
	if err != nil || len(packages) < 8 {
		t.Fatalf("%v %v", packages, err)
	}
	overlay := overlaid(t)
	for name := range packages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program := filepath.Join(t.TempDir(), "test.exe")
			if out, err := build("test", "-c", "-overlay", overlay, "-o", program, filepath.Join(root, name)).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if _, err := os.Stat(program); err != nil {
				return // it has no tests
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*limit)
			defer cancel()
			// wine replaces no file that somebody has open, so that a reader without a pause starves its writers; Windows does.
			c := exec.CommandContext(ctx, "wine", program, "-test.short", "-test.skip", "^TestConcurrentWritersAndReaders$")
			c.Dir = filepath.Join(root, name)
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("%v\n%.6000s", err, out)
			}
		})
	}
}

// overlaid is Go's standard library for the tests, whose temporary folders are removed by os.RemoveAll: wine 8.0 answers the kind of
// delete that it begins with by STATUS_NOT_IMPLEMENTED, after which Go does not try the other one. The programs are built
// without it.
func overlaid(t *testing.T) string {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	original := filepath.Join(strings.TrimSpace(string(root)), "src/internal/syscall/windows/at_windows.go")
	source, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(source), "STATUS_INVALID_PARAMETER, //", "NTStatus(0xC0000002), STATUS_INVALID_PARAMETER, //", 1)
	if changed == string(source) {
		t.Fatal("Go deletes in another way now: look whether the overlay is still needed")
	}
	dir := t.TempDir()
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{original: filepath.Join(dir, "at_windows.go")}})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"at_windows.go": []byte(changed), "overlay.json": list} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "overlay.json")
}
