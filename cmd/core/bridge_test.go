package core

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
	"github.com/mcp-credential/mcp-credential/internal/fakeworld/mcpserver"
)

// slow bounds every wait for a program in these tests.
const slow = 30 * time.Second

// programs builds the product and the fake browser, once for all tests of this file.
func programs(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	const module = "github.com/mcp-credential/mcp-credential/"
	build := exec.Command("go", "build", "-o", bin+string(filepath.Separator), module+"cmd/mcp-credential", module+"cmd/mcp-credential-core",
		module+"internal/fakeworld/cmd/fakeworld")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("cannot build the programs: %v\n%s", err, out)
	}
	if err := os.Link(filepath.Join(bin, "fakeworld"+suffix()), filepath.Join(bin, "fakebrowser"+suffix())); err != nil {
		t.Fatal(err)
	}
	return bin
}

func suffix() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}

// bridged is a host that talks to a bridge, which is a process.
type bridged struct {
	t      *testing.T
	cmd    *exec.Cmd
	in     io.WriteCloser
	lines  chan string
	stderr bytes.Buffer
}

// program is a call of the front with a home of its own, so that nothing of the user's is touched.
func program(t *testing.T, bin, home string, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, "mcp-credential"+suffix()), args...)
	passphrase := filepath.Join(home, "passphrase")
	if err := os.WriteFile(passphrase, []byte("only for tests\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd.Env = append([]string{"HOME=" + home, "USERPROFILE=" + home, "PATH=" + os.Getenv("PATH"), "SYSTEMROOT=" + os.Getenv("SYSTEMROOT"), "MCPCRED_HOME=" + filepath.Join(home, "cred"),
		"MCPCRED_STORE=file", "MCPCRED_PASSPHRASE_FILE=" + passphrase}, env...)
	return cmd
}

// startBridge runs a bridge until the end of the test, or of stdin.
func startBridge(t *testing.T, bin, home string, env []string, args ...string) *bridged {
	t.Helper()
	b := &bridged{t: t, lines: make(chan string, 1000)}
	b.cmd = program(t, bin, home, env, append([]string{"bridge"}, args...)...)
	b.cmd.Stderr = &b.stderr
	out, err := b.cmd.StdoutPipe()
	if err == nil {
		b.in, err = b.cmd.StdinPipe()
	}
	if err == nil {
		err = b.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		in := bufio.NewReader(out)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				close(b.lines)
				return
			}
			b.lines <- strings.TrimSuffix(line, "\n")
		}
	}()
	t.Cleanup(b.end)
	return b
}

// end closes stdin, at which the bridge must end without a word.
func (b *bridged) end() {
	if b.cmd.ProcessState != nil {
		return
	}
	b.in.Close()
	timer := time.AfterFunc(slow, func() { _ = b.cmd.Process.Kill() })
	defer timer.Stop()
	if err := b.cmd.Wait(); err != nil || b.stderr.Len() > 0 {
		b.t.Errorf("the bridge ended with %v: %s", err, b.stderr.String())
	}
}

func (b *bridged) send(line string) {
	b.t.Helper()
	if _, err := io.WriteString(b.in, line+"\n"); err != nil {
		b.t.Fatal(err)
	}
}

// reply is what the tests read of a line.
type reply struct {
	ID     any             `json:"id"`
	Method string          `json:"method"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
	Params struct {
		URL  string `json:"url"`
		Data string `json:"data"`
	} `json:"params"`
}

// next returns the next message that is no notification.
func (b *bridged) next() reply {
	b.t.Helper()
	for {
		select {
		case line, ok := <-b.lines:
			var r reply
			if err := json.Unmarshal([]byte(line), &r); err != nil || !ok {
				b.t.Fatalf("the bridge has ended, or said %q: %s", line, b.stderr.String())
			}
			if !strings.HasPrefix(r.Method, "notifications/") {
				return r
			}
		case <-time.After(slow):
			b.t.Fatal("the host got nothing")
		}
	}
}

func (b *bridged) hello(capabilities string) {
	b.t.Helper()
	b.send(`{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":` + capabilities + `,"clientInfo":{"name":"t","version":"1"}}}`)
}

func (b *bridged) ready() {
	b.t.Helper()
	if r := b.next(); r.ID != "hello" || r.Result == nil {
		b.t.Fatalf("%+v", r)
	}
	b.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
}

func (b *bridged) echo(id int) {
	b.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"echo","arguments":{"text":"hi"}}}`, id))
}

func world(t *testing.T, o fakeworld.Options) *fakeworld.World {
	t.Helper()
	o.MCP = mcpserver.Handler()
	w, err := fakeworld.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func TestBridgeProgram(t *testing.T) {
	bin := programs(t)
	t.Run("endurance", func(t *testing.T) { bridgeEndures(t, bin) })
	t.Run("elicitation", func(t *testing.T) { bridgeElicits(t, bin) })
	t.Run("network", func(t *testing.T) { bridgeNetwork(t, bin) })
	t.Run("usage", func(t *testing.T) { bridgeUsage(t, bin) })
	t.Run("configuration", func(t *testing.T) { bridgeRereads(t, bin) })
	t.Run("hint", func(t *testing.T) { bridgeHints(t, bin) })
	t.Run("step-up", func(t *testing.T) { bridgeStepsUp(t, bin) })
	t.Run("paths", func(t *testing.T) { bridgePaths(t, bin) })
	t.Run("secret", func(t *testing.T) { bridgeSecret(t, bin) })
	t.Run("proof", func(t *testing.T) { bridgeProves(t, bin) })
}

// From the first sign-in on, calls every 100 ms outlive many access tokens without one failure, one refused token or a
// second sign-in; no secret is in the log.
func bridgeEndures(t *testing.T, bin string) {
	const life, calls = 3 * time.Second, 100
	w := world(t, fakeworld.Options{AccessTTL: life, Rotate: true, RevokeOnReuse: true})
	home := homeDir(t)
	log := filepath.Join(home, "log")
	b := startBridge(t, bin, home, []string{"BROWSER=" + filepath.Join(bin, "fakebrowser"+suffix())}, w.ServerURL(), "--log-file", log, "--name", "the server")
	b.hello("{}")
	b.ready()
	began := time.Now()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for i := range calls {
		b.echo(i)
		if r := b.next(); r.ID != float64(i) || r.Result == nil {
			t.Fatalf("call %d: %+v", i, r)
		}
		<-ticker.C
	}
	b.end()
	s := w.Stats()
	if s.Authorizations != 1 || s.Reuse != 0 || s.MCP[fakeworld.MCPExpired]+s.MCP[fakeworld.MCPUnknown]+s.MCP[fakeworld.MCPRevoked] != 0 {
		t.Errorf("%d sign-ins, %d reuses, MCP %v", s.Authorizations, s.Reuse, s.MCP)
	}
	took := time.Since(began)
	if n, least, most := s.Token["refresh_token"], int(took/life)-1, int(took/(life*3/4))+1; n < least || n > most {
		t.Errorf("%d refreshes in %s of tokens that live %s: not one for each", n, took, life)
	}
	said, err := os.ReadFile(log)
	if err != nil || !bytes.Contains(said, []byte("Refreshed MCP sign-in for the server")) {
		t.Errorf("the log: %v %s", err, said)
	}
	for _, secret := range w.Secrets() {
		if bytes.Contains(said, []byte(secret)) {
			t.Error("a secret is in the log")
		}
	}
	if info, err := os.Stat(log); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

// Without a browser the host shows the address, which begins with our own page until the server is approved; a sign-in
// that dies on the way is renewed the same way.
func bridgeElicits(t *testing.T, bin string) {
	w := world(t, fakeworld.Options{})
	b := startBridge(t, bin, homeDir(t), nil, w.ServerURL())
	visit := func() string {
		t.Helper()
		r := b.next()
		if r.Method != "elicitation/create" {
			t.Fatalf("%+v", r)
		}
		ctx, cancel := context.WithTimeout(t.Context(), slow)
		defer cancel()
		if _, err := fakeworld.Visit(ctx, r.Params.URL); err != nil {
			t.Fatal(err)
		}
		b.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%q,"result":{"action":"accept"}}`, r.ID))
		return r.Params.URL
	}
	b.hello(`{"elicitation":{"url":{}}}`)
	b.ready()
	if url := visit(); strings.HasPrefix(url, w.Issuer()) {
		t.Errorf("the first sign-in began at %s, without a question of ours", url)
	}
	b.echo(1)
	if r := b.next(); r.Result == nil {
		t.Fatalf("%+v", r)
	}
	w.RevokeAll()
	b.echo(2)
	b.echo(3)
	if url := visit(); !strings.HasPrefix(url, w.Issuer()) {
		t.Errorf("the second sign-in began at %s, though the server is approved", url)
	}
	for range 2 {
		if r := b.next(); r.Result == nil {
			t.Fatalf("%+v", r)
		}
	}
	if n := w.Stats().Authorizations; n != 2 {
		t.Errorf("%d sign-ins", n)
	}
}

// The flags for the network do what the variables do that hosts hide.
func bridgeNetwork(t *testing.T, bin string) {
	w := world(t, fakeworld.Options{TLS: true})
	home := homeDir(t)
	ca := filepath.Join(home, "ca.pem")
	if err := os.WriteFile(ca, w.CertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	b := startBridge(t, bin, home, nil, w.ServerURL(), "--ca-file", ca, "--strict")
	b.hello("{}")
	if r := b.next(); r.Error == nil || r.Error.Code != -32010 || !strings.Contains(r.Error.Message, "mcp-credential login "+w.ServerURL()) {
		t.Errorf("%+v", r)
	}
	b.end()

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	asked := make(chan string, 100)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			line, _ := bufio.NewReader(c).ReadString('\n')
			asked <- line
			c.Close()
		}
	}()
	b = startBridge(t, bin, home, nil, "https://mcp.example.invalid/mcp", "--proxy", "http://"+l.Addr().String())
	b.hello("{}")
	select {
	case line := <-asked:
		if !strings.HasPrefix(line, "CONNECT mcp.example.invalid:443 ") {
			t.Errorf("the proxy was asked %q", line)
		}
	case <-time.After(slow):
		t.Error("the proxy was not asked")
	}
}

// What the command line says wrongly is one sentence and exit code 2.
func bridgeUsage(t *testing.T, bin string) {
	for _, args := range [][]string{
		{}, {"http://example.com"}, {"https://h/mcp", "--header", "no colon"}, {"https://h/mcp", "--header", "A: b\nC: d"}, {"https://h/mcp", "--header", "Mcp-Session-Id: x"},
		{"https://h/mcp", "--header", "@/does/not/exist"}, {"https://h/mcp", "--scope", "a b"}, {"https://h/mcp", "--sign-in-wait", "-1s"},
		{"https://h/mcp", "--log-file", "/does/not/exist/log"}, {"https://h/mcp", "--proxy", "no url"}, {"https://h/mcp", "--ca-file", "/does/not/exist"},
	} {
		cmd := exec.Command(filepath.Join(bin, "mcp-credential"+suffix()), append([]string{"bridge"}, args...)...)
		var out, words bytes.Buffer
		cmd.Env = append(os.Environ(), "MCPCRED_HOME="+t.TempDir())
		cmd.Stdout, cmd.Stderr = &out, &words
		_ = cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != 2 && code != 5 || words.Len() == 0 || out.Len() > 0 {
			t.Errorf("%q: exit %d, %s%s", args, code, out.String(), words.String())
		}
	}
}
