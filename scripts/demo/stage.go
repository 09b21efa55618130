package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
	"github.com/mcp-credential/mcp-credential/internal/fakeworld/mcpserver"
	"github.com/mcp-credential/mcp-credential/internal/wait"
)

// accessTTL is the life of an access token here.
const accessTTL = 5 * time.Second

// stage is what the steps play on.
type stage struct {
	ctx context.Context
	screen
	world *fakeworld.World
	url   string // of the MCP server
	exe   string // the front
	dir   string // temporary
	env   []string

	token  string    // what the last get printed
	expiry time.Time // of that token
}

func newStage(ctx context.Context, bin string, s screen) (*stage, error) {
	exe, err := program(bin)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "mcp-credential-demo")
	if err != nil {
		return nil, err
	}
	st := &stage{ctx: ctx, screen: s, exe: exe, dir: dir, env: environment(dir, self)}
	err = os.WriteFile(filepath.Join(dir, "passphrase"), []byte("only for the demo\n"), 0o600)
	if err == nil {
		st.world, err = fakeworld.Start(fakeworld.Options{AccessTTL: accessTTL, Rotate: true, RevokeOnReuse: true, MCP: mcpserver.Handler()})
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	st.url = st.world.ServerURL()
	return st, nil
}

// program returns the absolute path of the front.
func program(bin string) (string, error) {
	exe, err := filepath.Abs(filepath.Join(bin, "mcp-credential"))
	if runtime.GOOS == "windows" {
		exe += ".exe"
	}
	if err == nil {
		_, err = os.Stat(exe)
	}
	if err != nil {
		return "", fmt.Errorf("the program is not built, run make build: %w", err)
	}
	return exe, nil
}

// environment is all that the shown programs get to see.
func environment(dir, browser string) []string {
	env := []string{
		"HOME=" + dir, "USERPROFILE=" + dir, "MCPCRED_HOME=" + filepath.Join(dir, "home"),
		"MCPCRED_STORE=file", "MCPCRED_PASSPHRASE_FILE=" + filepath.Join(dir, "passphrase"),
		"BROWSER=" + browser, browserRole + "=1",
	}
	for _, name := range []string{"PATH", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP"} {
		if value := os.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// clearing bounds how long processes in the background may still write to the home.
const (
	clearing = 3 * time.Second
	quiet    = 200 * time.Millisecond
)

// clear ends the world and removes the temporary folder. A refresh that is still at work could bring it back: it is
// gone when it stays away.
func (st *stage) clear() error {
	err := st.world.Close()
	for end := time.Now().Add(clearing); time.Now().Before(end); {
		_ = os.RemoveAll(st.dir)
		_ = wait.Sleep(context.Background(), quiet)
		if _, gone := os.Lstat(st.dir); gone != nil {
			return err
		}
	}
	return errors.Join(err, errors.New("cannot remove "+st.dir))
}

// result is how one process ended.
type result struct {
	out, err string
	code     int
	took     time.Duration
}

// start begins one process of the front and returns what waits for it.
func (st *stage) start(stdin string, args ...string) func() (result, error) {
	cmd := exec.CommandContext(st.ctx, st.exe, args...)
	var out, errs bytes.Buffer
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = st.env, strings.NewReader(stdin), &out, &errs
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return func() (result, error) { return result{}, err }
	}
	return func() (result, error) {
		err := cmd.Wait()
		if ended := (*exec.ExitError)(nil); errors.As(err, &ended) {
			err = nil
		}
		return result{out.String(), errs.String(), cmd.ProcessState.ExitCode(), time.Since(began)}, err
	}
}

// run shows a command, runs it and shows what it prints. The wanted exit code is checked.
func (st *stage) run(code int, args ...string) (result, error) {
	st.command("mcp-credential " + strings.Join(args, " "))
	return st.finish(code, st.start("", args...))
}

// pipe is run with a line on stdin.
func (st *stage) pipe(line string, args ...string) (result, error) {
	st.command("echo '" + line + "' | mcp-credential " + strings.Join(args, " "))
	return st.finish(0, st.start(line+"\n", args...))
}

func (st *stage) finish(code int, wait func() (result, error)) (result, error) {
	r, err := wait()
	if err != nil {
		return r, err
	}
	st.output(r.err)
	st.output(r.out)
	if r.code != code {
		return r, fmt.Errorf("exit code %d instead of %d", r.code, code)
	}
	return r, nil
}
