//go:build unix

package core

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld/mcpserver"
)

// blocks reports whether f is in blocking mode, as a host's pipes are.
func blocks(t *testing.T, f *os.File) (yes bool) {
	t.Helper()
	if err := control(f, func(fd int) error {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		yes = flags&unix.O_NONBLOCK == 0
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return yes
}

// files are the ends of something that a host starts a process with.
func files(t *testing.T, make func(ends *[2]int) error) (a, b *os.File) {
	t.Helper()
	var ends [2]int
	if err := make(&ends); err != nil {
		t.Fatal(err)
	}
	a, b = os.NewFile(uintptr(ends[0]), "a"), os.NewFile(uintptr(ends[1]), "b")
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// A pipe can be waited for with a deadline while it is polled, and tells its end; then it blocks again.
func TestPolled(t *testing.T) {
	in, out := files(t, func(ends *[2]int) error { return unix.Pipe(ends[:]) })
	p, end := polled(in)
	if err := p.SetReadDeadline(time.Now().Add(slow)); err != nil {
		t.Errorf("a pipe is not polled: %v", err)
	}
	if again, _ := polled(p); again != p {
		t.Error("it is polled twice")
	}
	if _, err := out.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	if n, err := p.Read(make([]byte, 2)); n != 1 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	out.Close()
	if n, err := p.Read(make([]byte, 2)); n != 0 || err != io.EOF {
		t.Errorf("%d bytes, %v", n, err)
	}
	end()
	if !blocks(t, in) {
		t.Error("the pipe does not block any more")
	}
}

// Stdin and stdout may be one socket: both are polled, and a write waits for room.
func TestPolledSocket(t *testing.T) {
	stdin, host := files(t, func(ends *[2]int) (err error) {
		*ends, err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		return err
	})
	var stdout *os.File
	if err := control(stdin, func(fd int) error {
		second, err := unix.Dup(fd)
		stdout = os.NewFile(uintptr(second), "stdout")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer stdout.Close()
	_, endIn := polled(stdin)
	out, endOut := polled(stdout)
	const much = 4 << 20 // more than a socket holds
	wrote := make(chan error, 1)
	go func() {
		_, err := out.Write(make([]byte, much))
		wrote <- err
	}()
	if n, err := io.CopyN(io.Discard, host, much); err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	if err := <-wrote; err != nil {
		t.Error(err)
	}
	endOut()
	endIn()
	if !blocks(t, stdin) {
		t.Error("the socket does not block any more")
	}
}

// A file is left as it is.
func TestFileIsNotPolled(t *testing.T) {
	file, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if p, _ := polled(file); p != file {
		t.Error("a file is touched")
	}
}

// A host that has closed its end is no signal that kills: the session is closed at the server, and the end is an orderly one.
func TestBridgeWithoutReader(t *testing.T) {
	bin := programs(t)
	var deleted atomic.Int32
	mcp := mcpserver.Handler()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			deleted.Add(1)
		}
		mcp.ServeHTTP(w, r)
	}))
	defer server.Close()
	cmd := program(t, bin, homeDir(t), nil, "bridge", "-v", server.URL+"/mcp")
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
	if n := deleted.Load(); n != 1 {
		t.Errorf("the session was deleted %d times", n)
	}
}
