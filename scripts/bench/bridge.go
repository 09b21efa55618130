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
	"strings"
	"sync"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld/mcphost"
)

// The limits of the bridge.
const (
	directLimit = 1.5                    // from the start of a client to its first list, against the same client without a bridge
	peerLimit   = 5                      // how much longer the peer takes for that, at least
	addedLimit  = 300 * time.Microsecond // on each call
	callsAtOnce = 1000                   // calls at once
)

// bridgeBench is a protected MCP server, a home that is signed in to it, and the bridges to measure.
type bridgeBench struct {
	dir, bin string
	world    *world
	header   string // with a valid token
	node     string // the programs below are in npm's packages; empty: not installed
	modules  string
}

func newBridgeBench(ctx context.Context, bin, modules string) (s *bridgeBench, err error) {
	s = &bridgeBench{}
	if s.bin, err = filepath.Abs(bin); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "mcp-credential-bench"); err != nil {
		return nil, err
	}
	if err = buildWorld(ctx, s.dir); err == nil {
		err = s.writeConfig()
	}
	if err == nil {
		s.world, err = startWorld(ctx, s.dir)
	}
	if err == nil {
		_, err = s.output(ctx, s.program(), "login", s.world.url)
	}
	if err != nil {
		s.clear()
		return nil, err
	}
	header, err := s.output(ctx, s.program(), "get", "--output", "header", s.world.url)
	s.header, s.modules = strings.TrimSpace(string(header)), modules
	if node := filepath.Join(modules, ".bin", "node"); err == nil && exists(node) && exists(s.peer()[1]) && exists(s.inspector()[1]) {
		s.node = node
	}
	return s, err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (s *bridgeBench) clear() {
	if s.world != nil {
		_ = s.world.end()
	}
	_ = os.RemoveAll(s.dir)
}

func (s *bridgeBench) path(name string) string { return filepath.Join(s.dir, name) }

func (s *bridgeBench) program() string { return filepath.Join(s.bin, exe("mcp-credential")) }

// environ is what hosts leave of an environment: the Inspector passes on little else.
func (s *bridgeBench) environ() []string {
	env := []string{"HOME=" + s.dir, "USERPROFILE=" + s.dir, "BROWSER=" + s.path(exe("fakebrowser"))}
	for _, name := range []string{"PATH", "SYSTEMROOT", "TEMP"} {
		if value := os.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// writeConfig writes the configuration of a home with a keychain that needs nobody.
func (s *bridgeBench) writeConfig() error {
	home := s.path(".mcp-credential")
	err := os.Mkdir(home, 0o700)
	if err == nil {
		err = os.WriteFile(s.path("passphrase"), []byte("bench"), 0o600)
	}
	if err == nil {
		text := fmt.Sprintf("store = \"file\"\npassphrase_file = %q\n", s.path("passphrase"))
		err = os.WriteFile(filepath.Join(home, "config.toml"), []byte(text), 0o600)
	}
	return err
}

func (s *bridgeBench) output(ctx context.Context, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = s.environ()
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s %v: %w", filepath.Base(name), args, err)
	}
	return out, err
}

// peer is mcp-remote. It gets its token in a header: that spares it an OAuth of its own.
func (s *bridgeBench) peer() []string {
	return []string{s.node, filepath.Join(s.modules, "mcp-remote", "dist", "proxy.js"), s.world.url, "--header", s.header}
}

// inspector is the Inspector, told to list the tools of what follows.
func (s *bridgeBench) inspector(more ...string) []string {
	script := filepath.Join(s.modules, "@modelcontextprotocol", "inspector", "clients", "launcher", "build", "index.js")
	return append([]string{s.node, script, "--cli", "--method", "tools/list", "--transport"}, more...)
}

// starts are the pairs from the start of a client to its first list of tools: whole processes.
func (s *bridgeBench) starts() ([]pair, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	url := s.world.url
	client := func(name string, args ...string) process {
		return process{name: name, argv: append([]string{self, clientRole}, args...), env: s.environ()}
	}
	through := client("the same through the bridge", "stdio", s.program(), "bridge", url)
	pairs := []pair{{a: client("a client of ours, get, HTTP", "direct", s.program(), url), b: through, limit: directLimit}}
	if s.node != "" {
		plain := process{name: "Inspector, HTTP", argv: s.inspector("http", "--server-url", url, "--header", s.header), env: s.environ()}
		bridged := process{name: "Inspector, bridge", argv: s.inspector("stdio", s.program(), "bridge", url), env: s.environ()}
		pairs = append(pairs, pair{a: plain, b: bridged, limit: directLimit, slow: true},
			pair{a: through, b: client("the same through mcp-remote", append([]string{"stdio"}, s.peer()...)...), least: peerLimit, slow: true})
	}
	return pairs, nil
}

// host starts a bridge and greets through it.
func (s *bridgeBench) host(ctx context.Context, argv ...string) (*mcphost.Host, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = s.environ()
	h, err := mcphost.Start(cmd, nil)
	if err == nil {
		err = initialize(ctx, h)
	}
	return h, err
}

// callsPerRun is how many calls are made for each whole process of the other measurements: they are quick.
const callsPerRun = 20

// added returns the median time of a call by plain, and how much longer one by through takes, taken in turns.
func added(ctx context.Context, plain, through caller, runs int) (base, more time.Duration, err error) {
	var as, bs []time.Duration
	for i := range warmups + callsPerRun*runs {
		began := time.Now()
		errA := echo(ctx, plain, "x")
		middle := time.Now()
		errB := echo(ctx, through, "x")
		if err := errors.Join(errA, errB); err != nil {
			return 0, 0, err
		}
		if i >= warmups {
			as, bs = append(as, middle.Sub(began)), append(bs, time.Since(middle))
		}
	}
	base = median(as)
	return base, median(bs) - base, nil
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
func (s *bridgeBench) report(ctx context.Context, runs int, out io.Writer) (broken int, err error) {
	d := newDirect(s.world.url, strings.TrimPrefix(s.header, "Authorization: Bearer "))
	if err := initialize(ctx, d); err != nil {
		return 0, err
	}
	h, err := s.host(ctx, s.program(), "bridge", s.world.url)
	if err != nil {
		return 0, err
	}
	defer h.Close()
	var base, more time.Duration
	for n, ok := 0, false; !ok && n < attempts; n++ {
		if base, more, err = added(ctx, d, h, runs); err != nil {
			return 0, err
		}
		ok = more <= addedLimit
	}
	fmt.Fprintf(out, "\na call, direct: %s ms; through the bridge %s ms more%s\n", ms(base), ms(more), verdict(more <= addedLimit, "0.300", &broken))
	if err := s.reportPeer(ctx, runs, d, out); err != nil {
		return broken, err
	}
	took, err := together(ctx, h, callsAtOnce)
	if err != nil {
		return broken, err
	}
	fmt.Fprintf(out, "%d calls at once through the bridge: %s ms\n", callsAtOnce, ms(took))
	return broken, nil
}

func (s *bridgeBench) reportPeer(ctx context.Context, runs int, d *direct, out io.Writer) error {
	if s.node == "" {
		fmt.Fprintln(out, "not compared with the Inspector and mcp-remote: run scripts/conformance/node.sh install")
		return nil
	}
	h, err := s.host(ctx, s.peer()...)
	if err != nil {
		return err
	}
	defer h.Close()
	_, more, err := added(ctx, d, h, runs)
	if err == nil {
		fmt.Fprintf(out, "a call through mcp-remote: %s ms more\n", ms(more))
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
