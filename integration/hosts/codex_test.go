//go:build hosts && linux

package hosts

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// codex is Codex's app server, which calls tools without a model. It speaks JSON-RPC, one message on each line.
type codex struct {
	t      *testing.T
	in     io.Writer
	thread string

	mu       sync.Mutex
	requests int
	waiting  map[int]chan json.RawMessage
	status   chan string // of the server's start
}

// codexProgram is the one that npm has installed for this processor.
func codexProgram(t *testing.T) string {
	t.Helper()
	found, _ := filepath.Glob(filepath.Join(modules, "@openai", "codex-linux-"+arch(), "vendor", "*", "bin", "codex"))
	if len(found) != 1 {
		t.Fatalf("%d programs of Codex", len(found))
	}
	return found[0]
}

// startCodex starts it with a server that setup has wired, and with a thread, and returns how long that and the start of the
// server took.
func startCodex(t *testing.T, p *place, flags ...string) (*codex, time.Duration) {
	t.Helper()
	p.write(".codex/config.toml", fmt.Sprintf("[mcp_servers.demo]\nurl = %q\n", p.world.ServerURL()))
	p.setup("codex", flags...)
	ctx, cancel := context.WithTimeout(t.Context(), total)
	c := p.command(ctx, []string{"CODEX_HOME=" + p.path(".codex"), "OPENAI_API_KEY=x"}, codexProgram(t), "app-server")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	x := &codex{t: t, in: in, waiting: map[int]chan json.RawMessage{}, status: make(chan string, 100)}
	go x.read(out)
	t.Cleanup(func() {
		in.Close()
		cancel()
		_ = c.Wait()
	})
	x.request("initialize", object{"clientInfo": object{"name": "test", "title": "test", "version": "1"}, "capabilities": object{"experimentalApi": true}})
	x.send(object{"jsonrpc": "2.0", "method": "initialized"})
	var started struct{ Thread struct{ ID string } }
	if err := json.Unmarshal(x.request("thread/start", object{}), &started); err != nil || started.Thread.ID == "" {
		t.Fatalf("Codex has started no thread: %v", err)
	}
	x.thread = started.Thread.ID
	for {
		select {
		case status := <-x.status:
			if strings.Contains(status, "starting") {
				continue
			}
			if !strings.Contains(status, "ready") {
				t.Errorf("the server is %s", status)
			}
			return x, time.Since(began)
		case <-ctx.Done():
			t.Fatal("Codex has not started the server")
		}
	}
}

func (x *codex) read(out io.Reader) {
	in := bufio.NewReaderSize(out, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var m struct {
			ID            *int
			Method        string
			Params        json.RawMessage
			Result, Error json.RawMessage
		}
		if json.Unmarshal(line, &m) != nil {
			continue
		}
		switch {
		case m.Method == "mcpServer/startupStatus/updated":
			x.status <- string(m.Params)
		case m.ID != nil && m.Method == "":
			x.mu.Lock()
			to := x.waiting[*m.ID]
			x.mu.Unlock()
			if to != nil {
				to <- append(m.Result, m.Error...)
			}
		}
	}
}

func (x *codex) send(message object) {
	x.t.Helper()
	if _, err := x.in.Write(append(encode(message), '\n')); err != nil {
		x.t.Error(err)
	}
}

func (x *codex) request(method string, params object) json.RawMessage {
	x.t.Helper()
	x.mu.Lock()
	x.requests++
	id, answer := x.requests, make(chan json.RawMessage, 1)
	x.waiting[id] = answer
	x.mu.Unlock()
	x.send(object{"jsonrpc": "2.0", "id": id, "method": method, "params": params})
	select {
	case result := <-answer:
		return result
	case <-time.After(total):
		x.t.Fatalf("Codex does not answer %s", method)
	}
	return nil
}

// call calls a tool and returns what came of it.
func (x *codex) call(tool, text string) string {
	x.t.Helper()
	args := object{}
	if text != "" {
		args["text"] = text
	}
	return string(x.request("mcpServer/tool/call", object{"threadId": x.thread, "server": "demo", "tool": tool, "arguments": args}))
}

// echo calls the server's tool, which must work.
func (x *codex) echo(text string) {
	x.t.Helper()
	if got := x.call("echo", text); !strings.Contains(got, text) || strings.Contains(got, "rror\":true") {
		x.t.Errorf("echo: %s", got)
	}
}

// TestCodex does for Codex what the tests of the other hosts do. By the token command it neither starts before somebody has
// signed in nor waits for a server that restarts: docs/hosts.md.
func TestCodex(t *testing.T) {
	for way, flags := range map[string][]string{"bridge": nil, "token command": {"--token-command"}} {
		t.Run("signed in, by "+way, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.login()
			x, _ := startCodex(t, p, flags...)
			for call := range 4 {
				spaced(call + 1)
				x.echo(fmt.Sprint("echo-", call))
			}
		})
		t.Run("the sign-in dies, by "+way, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.login()
			x, _ := startCodex(t, p, flags...)
			x.echo("echo-1")
			p.world.RevokeAll()
			spaced(2)
			second := make(chan string, 1)
			go func() { second <- x.call("echo", "echo-2") }()
			if way == "token command" {
				if got := <-second; !strings.Contains(got, "Authentication required") {
					t.Errorf("without a sign-in: %s", got)
				}
				p.login()
			} else { // the bridge has Codex show an address, and the call waits
				p.login()
				if got := <-second; !strings.Contains(got, "echo-2") {
					t.Errorf("after the sign-in: %s", got)
				}
			}
			x.echo("echo-3")
		})
	}
	t.Run("the server restarts", codexServerRestarts)
	t.Run("nobody signed in", codexNobodySignedIn)
}

func codexServerRestarts(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.login()
	x, _ := startCodex(t, p)
	x.echo("echo-1")
	p.restart()
	if got := x.call("echo", "echo-2"); strings.Contains(got, "mayHaveRun") { // it met the server as that went down
		x.echo("echo-3")
	} else if !strings.Contains(got, "echo-2") {
		t.Errorf("after the restart: %s", got)
	}
}

func codexNobodySignedIn(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	x, took := startCodex(t, p)
	t.Logf("the server had started after %s", took.Round(time.Millisecond))
	if said := x.call("sign_in_to_demo", ""); !strings.Contains(said, "person signs in") {
		t.Errorf("the sign-in tool says %s", said)
	}
	p.login()
	x.echo("echo-1") // by its name: this version does not list the tools again
}
