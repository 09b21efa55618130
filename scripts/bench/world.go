package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// world is an authorization server and a protected MCP server in a process of their own, as they are in life: a client
// that shared the scheduler with its server would be spared what every client of a remote one waits for.
type world struct {
	cmd   *exec.Cmd
	stdin io.Closer
	url   string // of the MCP server
}

// buildWorld builds the program of the world in dir, and under the name by which it plays the browser.
func buildWorld(ctx context.Context, dir string) error {
	program := filepath.Join(dir, exe("fakeworld"))
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/mcp-credential/mcp-credential/internal/fakeworld/cmd/fakeworld")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the server: %w: %s", err, out)
	}
	return os.Link(program, filepath.Join(dir, exe("fakebrowser")))
}

// startWorld starts it, as long as ctx lasts.
func startWorld(ctx context.Context, dir string) (*world, error) {
	w := &world{cmd: exec.CommandContext(ctx, filepath.Join(dir, exe("fakeworld")), "-rotate", "-revoke-on-reuse")}
	out, err := w.cmd.StdoutPipe()
	if err == nil {
		w.stdin, err = w.cmd.StdinPipe()
	}
	if err == nil {
		err = w.cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	late := w.kill()
	line, err := bufio.NewReader(out).ReadBytes('\n')
	late.Stop()
	var where struct{ Server string }
	if err == nil {
		err = json.Unmarshal(line, &where)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the server does not say where it is: %w", err), w.end())
	}
	w.url = where.Server
	return w, nil
}

// end has the world end and waits for it.
func (w *world) end() error {
	defer w.kill().Stop()
	return errors.Join(w.stdin.Close(), w.cmd.Wait())
}

// worldPatience is what the world may take to say where it is, and to end.
const worldPatience = 10 * time.Second

// kill ends the world in a while.
func (w *world) kill() *time.Timer {
	return time.AfterFunc(worldPatience, func() { _ = w.cmd.Process.Kill() })
}
