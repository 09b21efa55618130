//go:build integration && linux

package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// caller is one process that asks for a token in some host's way.
type caller struct {
	cmd    *exec.Cmd
	out    *bytes.Buffer
	words  *bytes.Buffer
	parse  func(stdout string) (token string)
	doomed bool // kill has been told to end it
	killed bool // and did so before it ended by itself
}

// callers are the ways to ask: a script, a script on a terminal, git, and a host that wants headers.
func callers(u *user, server string) []func() *caller {
	return []func() *caller{
		func() *caller { return u.caller(strings.TrimSpace, "", "mcp-credential", "get", server) },
		func() *caller {
			return onTerminal(u.t, u.caller(strings.TrimSpace, "", "mcp-credential", "get", server))
		},
		func() *caller { return u.caller(fromGit, gitRequest(server), "git-credential-mcp", "get") },
		func() *caller {
			return u.caller(fromHeaders, "", "mcp-credential", "get", "--output", "headers", server)
		},
	}
}

// mixed makes n callers, spread over the ways to ask.
func mixed(u *user, server string, n int) []*caller {
	ways := callers(u, server)
	var all []*caller
	for i := range n {
		all = append(all, ways[i%len(ways)]())
	}
	return all
}

// crowd starts n callers at once and returns how often each token was answered.
func crowd(t *testing.T, u *user, server string, n int) map[string]int {
	t.Helper()
	all := mixed(u, server, n)
	start(t, all)
	return finish(t, all)
}

func (u *user) caller(parse func(string) string, stdin, program string, args ...string) *caller {
	c := &caller{cmd: u.command(bin(program), args...), out: &bytes.Buffer{}, words: &bytes.Buffer{}, parse: parse}
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = strings.NewReader(stdin), c.out, c.words
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return c
}

// onTerminal gives the caller a terminal of its own for stdin and stderr; what it says there is lost.
func onTerminal(t *testing.T, c *caller) *caller {
	tty := openTerminal(t)
	c.cmd.Stdin, c.cmd.Stderr = tty, tty
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	return c
}

// openTerminal returns the far side of a new pseudo-terminal, pts(4), which is hung up at the end of the test.
func openTerminal(t *testing.T) *os.File {
	t.Helper()
	near, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = near.Close() })
	if err := unix.IoctlSetPointerInt(int(near.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(near.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	far, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return far
}

func gitRequest(server string) string { return "url=" + server + "\n" }

func fromGit(out string) string {
	for line := range strings.SplitSeq(out, "\n") {
		if password, ok := strings.CutPrefix(line, "password="); ok {
			return password
		}
	}
	return ""
}

func fromHeaders(out string) string {
	var h map[string]string
	_ = json.Unmarshal([]byte(out), &h)
	return strings.TrimPrefix(h["Authorization"], "Bearer ")
}

// start starts the callers as fast as this machine can and returns once every one has started.
func start(t *testing.T, all []*caller) {
	t.Helper()
	for _, c := range all {
		if err := c.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if tty, ok := c.cmd.Stdin.(*os.File); ok {
			_ = tty.Close()
		}
	}
}

// finish waits for every caller and returns how often each token was answered. Every caller that was not killed
// must have been answered.
func finish(t *testing.T, all []*caller) map[string]int {
	t.Helper()
	tokens := map[string]int{}
	for _, c := range all {
		err := c.cmd.Wait()
		if c.killed = c.doomed && signalled(c.cmd); c.killed {
			continue
		}
		token := c.parse(c.out.String())
		if err != nil || token == "" {
			t.Errorf("%v: %v, %d bytes on stdout, stderr: %s", c.cmd.Args[1:], err, c.out.Len(), c.words)
		}
		tokens[token]++
	}
	return tokens
}

func signalled(c *exec.Cmd) bool {
	status, ok := c.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signal() == syscall.SIGKILL
}

// TestTwoHundredProcesses starts 200 processes at once on an expired token.
func TestTwoHundredProcesses(t *testing.T) {
	const processes = 200
	p := startProvider(t, "--access-ttl", "15")
	u := newUser(t)
	u.must("login", p.Server)
	u.expired(p.Server)
	p.control(`{"reset_stats": true}`)
	began := time.Now()
	tokens := crowd(t, u, p.Server, processes)
	took := time.Since(began)
	s := p.stats()
	asked := s.HTTP["POST /mcp"] // once, whether it refuses the token: some of the crowd ask for the same headers
	delete(s.HTTP, "POST /mcp")
	if len(tokens) != 1 || asked > 1 || s.HTTP["POST /token"] != 1 || len(s.HTTP) != 1 || s.Reuse != 0 {
		t.Errorf("%d different tokens, requests %v, reuse %d", len(tokens), s.HTTP, s.Reuse)
	}
	for token, n := range tokens {
		mustAccept(t, p.Server, token)
		if n != processes {
			t.Errorf("%d answers", n)
		}
	}
	measure(t, "200 processes on an expired token, until the last has ended", took)
}

// TestKilledCallers has forty callers at each of five expiries, a third of which are killed with their whole process
// group at a random moment, during token requests of up to 1.6 seconds. Whatever they had begun, the others are answered,
// and no refresh token is used twice.
func TestKilledCallers(t *testing.T) {
	const rounds, processes = 5, 40
	p := startProvider(t, "--access-ttl", "5")
	u := newUser(t)
	u.must("login", p.Server)
	killed := 0
	for round := range rounds {
		u.expired(p.Server)
		p.control(fmt.Sprintf(`{"reset_stats": true, "token_delay_ms": %d}`, 400*round))
		all := mixed(u, p.Server, processes)
		start(t, all)
		kill(all)
		for token := range finish(t, all) {
			mustAccept(t, p.Server, token)
		}
		for _, c := range all {
			if c.killed {
				killed++
			}
		}
		if s := p.stats(); s.TokenOK["refresh_token"] != 1 || s.HTTP["POST /token"] != 1 || s.Reuse != 0 {
			t.Errorf("round %d: token requests %v, reuse %d", round, s.HTTP, s.Reuse)
		}
	}
	if killed == 0 {
		t.Error("no caller was killed before its end")
	}
	t.Logf("%d of %d callers were killed", killed, rounds*processes)
}

// kill kills the group of every third caller within the next 600 ms, and returns when that is done.
func kill(all []*caller) {
	var wg sync.WaitGroup
	for i, c := range all {
		if i%3 != 0 {
			continue
		}
		c.doomed = true
		moment := time.After(rand.N(600 * time.Millisecond))
		wg.Go(func() {
			<-moment
			_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL) // not waited for yet: the number is still its own
		})
	}
	wg.Wait()
}
