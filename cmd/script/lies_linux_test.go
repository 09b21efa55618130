package script

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
	"github.com/mcp-credential/mcp-credential/internal/fakeworld/mcpserver"
)

// The memory that a process may have had at most, in KiB: the encrypted file of the keychain alone takes 32 MiB (scrypt). A
// bridge may hold a message of 64 MiB, as it does for honest servers, two and a half times.
const (
	mostMemory  = 100 << 10
	mostMessage = 64<<10*5/2 + mostMemory
)

// TestLies has servers lie to the programs in every way that fakeworld knows: each time there is an error of a kind
// within the limit, in bounded memory, and nobody else is asked for anything.
func TestLies(t *testing.T) {
	t.Parallel()
	all := fakeworld.Lies()
	if len(all) < 50 {
		t.Fatalf("there are %d lies", len(all))
	}
	for _, lie := range all {
		t.Run(lie.Name, func(t *testing.T) {
			t.Parallel()
			d := newDupe(t)
			if lie.Limit == 0 {
				lie.Limit = fakeworld.LieLimit
			}
			if lie.Do != fakeworld.LieLogin {
				d.signIn()
			}
			d.believe(lie.Knobs)
			if lie.Do == fakeworld.LieCall {
				d.call(lie)
			} else {
				d.command(lie)
			}
			if n := d.elsewhere.Load(); n > 0 {
				t.Errorf("%d requests went elsewhere", n)
			}
		})
	}
}

// dupe is a home that is lied to.
type dupe struct {
	t         *testing.T
	world     *fakeworld.World
	env       []string
	other     string // another origin
	elsewhere atomic.Int32
}

func newDupe(t *testing.T) *dupe {
	w, err := fakeworld.Start(fakeworld.Options{MCP: mcpserver.Handler()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	d := &dupe{t: t, world: w}
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { d.elsewhere.Add(1) }))
	t.Cleanup(s.Close)
	d.other = s.URL
	work := t.TempDir()
	if err := os.WriteFile(filepath.Join(work, "passphrase"), []byte(passphrase), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		endDetached(work)
		coolDown(work)
	})
	d.env = []string{"HOME=" + work, "MCPCRED_HOME=" + filepath.Join(work, "cred"), "MCPCRED_STORE=file", "BROWSER=fakebrowser",
		"MCPCRED_PASSPHRASE_FILE=" + filepath.Join(work, "passphrase"), "PATH=" + os.Getenv("PATH")}
	return d
}

func (d *dupe) program(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(d.t.Context(), "mcp-credential", args...)
	cmd.Env = d.env
	return cmd
}

// signIn signs in and erases the access token, so that the next one has to be fetched.
func (d *dupe) signIn() {
	d.t.Helper()
	for _, verb := range []string{"login", "erase"} {
		if out, err := d.program(verb, d.world.ServerURL()).CombinedOutput(); err != nil {
			d.t.Fatalf("%s: %v: %s", verb, err, out)
		}
	}
}

func (d *dupe) believe(knobs string) {
	d.t.Helper()
	knobs = strings.NewReplacer("$ISSUER", d.world.Issuer(), "$SERVER", d.world.ServerURL(), "$ELSEWHERE", d.other).Replace(knobs)
	if err := d.world.Control([]byte(`{"knobs":` + knobs + `}`)); err != nil {
		d.t.Fatal(err)
	}
}

// command runs a command to its end.
func (d *dupe) command(lie fakeworld.Lie) {
	args := map[string][]string{
		fakeworld.LieLogin:   {"login", d.world.ServerURL()},
		fakeworld.LieRefresh: {"refresh", "--apart", d.world.ServerURL()},
		fakeworld.LieGet:     {"get", "--prompt", "never", d.world.ServerURL()},
	}[lie.Do]
	cmd := d.program(args...)
	var out, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &words
	began := time.Now()
	err := cmd.Run()
	took := time.Since(began)
	d.t.Logf("%s, %d MiB: %s", took.Round(time.Millisecond), memory(cmd)>>10, strings.TrimSpace(words.String()))
	if code(err) != lie.Code || out.Len() > 0 || took > lie.Limit || memory(cmd) > mostMemory {
		d.t.Errorf("exit code %d (want %d), stdout %q, after %s (limit %s), with %d KiB", code(err), lie.Code, out.String(), took, lie.Limit, memory(cmd))
	}
	if !regexp.MustCompile(lie.Says).Match(words.Bytes()) || regexp.MustCompile("[\x00-\x09\x0b-\x1f\u202a-\u202e\u2066-\u2069]").Match(words.Bytes()) {
		d.t.Errorf("stderr: %q", words.String())
	}
}

// memory is the most that a process that has ended had, in KiB.
func memory(cmd *exec.Cmd) int64 { return int64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss) }

// settle is how long a call that nobody answers is looked at.
const settle = 2 * time.Second

// call has a host call a tool through a bridge. Without an answer to expect, the bridge has to live on without one, and end
// when its host leaves.
func (d *dupe) call(lie fakeworld.Lie) {
	t, cmd := d.t, d.program("bridge", "--start-wait=10s", d.world.ServerURL())
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		r := bufio.NewReader(out)
		for line, err := r.ReadString('\n'); err == nil; line, err = r.ReadString('\n') {
			lines <- line
		}
	}()
	fmt.Fprintln(in, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"h","version":"1"}}}`)
	answer(t, lines, 1, 2*fakeworld.LieLimit)
	fmt.Fprintln(in, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	began := time.Now()
	fmt.Fprintln(in, `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","arguments":{"text":"x"}}}`)
	if lie.Says == "" {
		settled(t, lines)
	} else if line := answer(t, lines, 2, lie.Limit); !regexp.MustCompile(lie.Says).MatchString(line) {
		t.Errorf("the host reads %.300q", line)
	}
	took := time.Since(began)
	d.leave(cmd, in, lines)
	t.Logf("%s, %d MiB", took.Round(time.Millisecond), memory(cmd)>>10)
	if memory(cmd) > mostMessage {
		t.Errorf("it had %d KiB", memory(cmd))
	}
}

// leave is the end of the host; the bridge has to follow.
func (d *dupe) leave(cmd *exec.Cmd, in io.Closer, lines <-chan string) {
	_ = in.Close()
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	for range lines {
	}
	if err := cmd.Wait(); err != nil || !timer.Stop() {
		d.t.Errorf("the bridge ends with %v", err)
	}
}

// answer is the line that answers a request; anything that is no JSON ends the test.
func answer(t *testing.T, lines <-chan string, id int, limit time.Duration) string {
	t.Helper()
	end := time.After(limit)
	for {
		select {
		case line, ok := <-lines:
			if !ok || !json.Valid([]byte(line)) {
				t.Fatalf("the host reads %.200q", line)
			}
			if strings.Contains(line, fmt.Sprintf(`"id":%d`, id)) && !strings.Contains(line, `"method"`) {
				return line
			}
		case <-end:
			t.Fatalf("no answer within %s", limit)
		}
	}
}

// settled looks for a while at a bridge that must not answer.
func settled(t *testing.T, lines <-chan string) {
	t.Helper()
	end := time.After(settle)
	for {
		select {
		case line, ok := <-lines:
			if !ok || strings.Contains(line, `"id":2`) {
				t.Fatalf("the host reads %.200q", line)
			}
		case <-end:
			return
		}
	}
}
