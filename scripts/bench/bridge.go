package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
	"github.com/mcp-credential/mcp-credential/internal/fakeworld/mcphost"
	"github.com/mcp-credential/mcp-credential/internal/fakeworld/mcpserver"
)

// The limits of the bridge.
const (
	directLimit = 1.5                    // from start to the first list, against a client without a bridge
	peerLimit   = 5                      // how much longer the peer takes for that, at least
	addedLimit  = 300 * time.Microsecond // on each call
	crowd       = 1000                   // calls at once
)

// span is a protected MCP server in this process, a home that is signed in to it, and the bridges to measure.
type span struct {
	dir, bin string
	world    *fakeworld.World
	peer     []string // argv of mcp-remote; nil: not installed
}

func newSpan(ctx context.Context, bin, peer string) (s *span, err error) {
	s = &span{}
	if s.bin, err = filepath.Abs(bin); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "mcp-credential-bench"); err != nil {
		return nil, err
	}
	if s.world, err = fakeworld.Start(fakeworld.Options{Rotate: true, RevokeOnReuse: true, MCP: mcpserver.Handler()}); err == nil {
		err = os.WriteFile(s.path("passphrase"), []byte("bench"), 0o600)
	}
	if err == nil {
		_, err = s.output(ctx, "go", "build", "-o", s.path(exe("fakebrowser")), "github.com/mcp-credential/mcp-credential/internal/fakeworld/cmd/fakeworld")
	}
	if err == nil {
		_, err = s.output(ctx, s.program(), "login", s.world.ServerURL())
	}
	if err != nil {
		s.clear()
		return nil, err
	}
	s.findPeer(ctx, peer)
	return s, nil
}

func (s *span) clear() {
	if s.world != nil {
		_ = s.world.Close()
	}
	_ = os.RemoveAll(s.dir)
}

func (s *span) path(name string) string { return filepath.Join(s.dir, name) }

func (s *span) program() string { return filepath.Join(s.bin, exe("mcp-credential")) }

// environ is what hosts leave of an environment, with a home of the measurement's own.
func (s *span) environ() []string {
	env := []string{"CGO_ENABLED=0"}
	for _, name := range []string{"PATH", "HOME", "USERPROFILE", "SYSTEMROOT", "TEMP", "GOPATH", "GOMODCACHE", "GOCACHE", "LOCALAPPDATA"} {
		if value := os.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return append(env, "MCPCRED_HOME="+s.dir, "MCPCRED_STORE=file",
		"MCPCRED_PASSPHRASE_FILE="+s.path("passphrase"), "BROWSER="+s.path(exe("fakebrowser")), "MCP_REMOTE_CONFIG_DIR="+s.path("peer"))
}

func (s *span) output(ctx context.Context, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = s.environ()
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s %v: %w", filepath.Base(name), args, err)
	}
	return out, err
}

// findPeer looks for mcp-remote beside node, below the folder of npm's packages. The peer gets a fixed token in a header:
// that spares it its own OAuth.
func (s *span) findPeer(ctx context.Context, modules string) {
	node, script := filepath.Join(modules, ".bin", "node"), filepath.Join(modules, "mcp-remote", "dist", "proxy.js")
	for _, file := range []string{node, script} {
		if _, err := os.Stat(file); err != nil {
			return
		}
	}
	token, err := s.output(ctx, s.program(), "get", "--output", "header", s.world.ServerURL())
	if err == nil {
		s.peer = []string{node, script, s.world.ServerURL(), "--header", string(token[:len(token)-1])}
	}
}

// starts are the pairs from the start of a client to its first list of tools: whole processes.
func (s *span) starts() ([]pair, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	url := s.world.ServerURL()
	client := func(name string, args ...string) subject {
		return subject{name: name, argv: append([]string{self, clientRole}, args...), env: s.environ()}
	}
	direct := client("client, get and direct HTTP", "direct", s.program(), url)
	bridge := client("the same through the bridge", "stdio", s.program(), "bridge", url)
	pairs := []pair{{a: direct, b: bridge, limit: directLimit}}
	if s.peer != nil {
		pairs = append(pairs, pair{a: bridge, b: client("the same through mcp-remote", append([]string{"stdio"}, s.peer...)...), least: peerLimit})
	}
	return pairs, nil
}

// host starts a bridge and greets through it.
func (s *span) host(ctx context.Context, argv ...string) (*mcphost.Host, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = s.environ()
	h, err := mcphost.Start(cmd, nil)
	if err == nil {
		err = greet(ctx, h)
	}
	return h, err
}

// perCall returns the median time of a call.
func perCall(ctx context.Context, c caller, n int) (time.Duration, error) {
	var all []time.Duration
	for i := range n + warmups {
		began := time.Now()
		if err := echo(ctx, c, "x"); err != nil {
			return 0, err
		}
		if i >= warmups {
			all = append(all, time.Since(began))
		}
	}
	return median(all), nil
}

func echo(ctx context.Context, c caller, text string) error {
	result, err := c.Call(ctx, "tools/call", map[string]any{"name": "echo", "arguments": map[string]any{"text": text}})
	var r struct {
		Structured struct{ Text string } `json:"structuredContent"`
	}
	if err == nil {
		err = json.Unmarshal(result, &r)
	}
	if err == nil && r.Structured.Text != text {
		err = fmt.Errorf("another answer, of %d bytes", len(result))
	}
	return err
}

// together makes many calls at once and returns what they took.
func together(ctx context.Context, c caller, n int) (time.Duration, error) {
	errs := make([]error, n)
	var wg sync.WaitGroup
	began := time.Now()
	for i := range n {
		wg.Go(func() { errs[i] = echo(ctx, c, fmt.Sprint("call ", i)) })
	}
	wg.Wait()
	return time.Since(began), errors.Join(errs...)
}

// report is the part of the table that is about calls.
func (s *span) report(ctx context.Context, runs int, out io.Writer) (broken int, err error) {
	token, err := s.output(ctx, s.program(), "get", s.world.ServerURL())
	if err != nil {
		return 0, err
	}
	d := newDirect(s.world.ServerURL(), string(token[:len(token)-1]))
	if err := greet(ctx, d); err != nil {
		return 0, err
	}
	h, err := s.host(ctx, s.program(), "bridge", s.world.ServerURL())
	if err != nil {
		return 0, err
	}
	defer h.Close()
	plain, err := perCall(ctx, d, runs)
	if err != nil {
		return 0, err
	}
	through, err := perCall(ctx, h, runs)
	if err != nil {
		return 0, err
	}
	fmt.Fprintf(out, "\na call, direct: %s ms; through the bridge %s ms more%s\n", ms(plain), ms(through-plain), verdict(through-plain <= addedLimit, "0.3", &broken))
	if err := s.reportPeer(ctx, runs, plain, out); err != nil {
		return broken, err
	}
	took, err := together(ctx, h, crowd)
	if err != nil {
		return broken, err
	}
	fmt.Fprintf(out, "%d calls at once through the bridge: %s ms\n", crowd, ms(took))
	return broken, nil
}

func (s *span) reportPeer(ctx context.Context, runs int, plain time.Duration, out io.Writer) error {
	if s.peer == nil {
		fmt.Fprintln(out, "not compared with mcp-remote: run scripts/conformance/node.sh install")
		return nil
	}
	h, err := s.host(ctx, s.peer...)
	if err != nil {
		return err
	}
	defer h.Close()
	peer, err := perCall(ctx, h, runs)
	if err == nil {
		fmt.Fprintf(out, "a call through mcp-remote: %s ms more\n", ms(peer-plain))
	}
	return err
}

func verdict(ok bool, limit string, broken *int) string {
	if ok {
		return " (limit " + limit + ")"
	}
	*broken++
	return " (limit " + limit + " BROKEN)"
}
