//go:build unix

package stdio

import (
	"io"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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

// A pipe can be waited for with a deadline while it does not block, and tells its end; then it blocks again.
func TestPipe(t *testing.T) {
	in, out := files(t, func(ends *[2]int) error { return unix.Pipe(ends[:]) })
	p, end := Nonblocking(in)
	if err := p.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Errorf("a pipe blocks: %v", err)
	}
	if again, _ := Nonblocking(p); again != p {
		t.Error("it is taken twice")
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

// Stdin and stdout may be one socket: neither blocks, and a write waits for room.
func TestSocket(t *testing.T) {
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
	_, endIn := Nonblocking(stdin)
	out, endOut := Nonblocking(stdout)
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
func TestFile(t *testing.T) {
	file, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if p, _ := Nonblocking(file); p != file {
		t.Error("a file is touched")
	}
}
