//go:build unix

package core

import (
	"bufio"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
	"github.com/mcp-credential/mcp-credential/internal/fakeworld/mcpserver"
)

// A pipe can be waited for with a deadline once it is polled; a file is left as it is.
func TestPolled(t *testing.T) {
	var ends [2]int // blocking, as a host's pipe is
	if err := unix.Pipe(ends[:]); err != nil {
		t.Fatal(err)
	}
	out := os.NewFile(uintptr(ends[1]), "out")
	defer out.Close()
	p := polled(os.NewFile(uintptr(ends[0]), "in"))
	defer p.Close()
	if err := p.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Errorf("a pipe is not polled: %v", err)
	}
	if _, err := out.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	if n, err := p.Read(make([]byte, 2)); n != 1 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	file, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if polled(file) != file {
		t.Error("a file is touched")
	}
}

// A host that has closed its end is no signal that kills: the session is closed at the server, and the end is an orderly one.
func TestBridgeWithoutReader(t *testing.T) {
	bin := programs(t)
	w := world(t, fakeworld.Options{MCP: mcpserver.Handler()})
	cmd := program(t, bin, t.TempDir(), []string{"BROWSER=" + bin + "/fakebrowser"}, "bridge", "-v", w.ServerURL())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(slow, func() { _ = cmd.Process.Kill() }).Stop()
	send := func(line string) {
		if _, err := in.Write([]byte(line + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	send(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`)
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	out.Close()
	said.Close()
	send(`{"jsonrpc":"2.0","id":2,"method":"ping"}`)
	if err := cmd.Wait(); err != nil {
		t.Errorf("the bridge ended with %v", err)
	}
}
