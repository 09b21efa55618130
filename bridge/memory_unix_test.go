//go:build unix && !race

package bridge

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asBridge makes the test binary a bridge to the URL in this variable, on its stdin and stdout.
const asBridge = "BRIDGE_UNDER_TEST"

func TestMain(m *testing.M) {
	url := os.Getenv(asBridge)
	if url == "" {
		os.Exit(m.Run())
	}
	if Run(context.Background(), Config{URL: url, Client: http.DefaultClient, In: os.Stdin, Out: os.Stdout}) != nil {
		os.Exit(1)
	}
}

// The race detector multiplies memory, so that this is for builds without it.
//
// A large message needs at most two and a half times its size, in either direction and by either way.
func TestMemory(t *testing.T) {
	const size = 50 << 20
	idle := measure(t, func(*bufio.Reader, io.Writer) {})
	for name, kind := range map[string]string{"json": "application/json", "events": "text/event-stream"} {
		t.Run(name, func(t *testing.T) {
			peak := measureWith(t, kind, size, func(in *bufio.Reader, out io.Writer) {
				io.WriteString(out, call1("1", "x")+"\n")
				if n := lineLength(t, in); n < size {
					t.Errorf("%d bytes arrived", n)
				}
			})
			within(t, peak, idle, size)
		})
	}
	t.Run("from the host", func(t *testing.T) {
		peak := measure(t, func(in *bufio.Reader, out io.Writer) {
			io.WriteString(out, `{"jsonrpc":"2.0","id":1,"method":"x","params":"`)
			_, _ = io.Copy(out, io.LimitReader(letters{}, size))
			io.WriteString(out, "\"}\n")
			if n := lineLength(t, in); n > 1000 {
				t.Errorf("%d bytes arrived", n)
			}
		})
		within(t, peak, idle, size)
	})
}

func within(t *testing.T, peak, idle, size int64) {
	t.Helper()
	t.Logf("peak %d MiB, idle %d MiB, message %d MiB", peak>>20, idle>>20, size>>20)
	if bound := size*5/2 + 20<<20; peak > bound {
		t.Errorf("peak %d MiB is above %d MiB", peak>>20, bound>>20)
	}
}

// letters is an endless text.
type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

func lineLength(t *testing.T, in *bufio.Reader) (n int) {
	t.Helper()
	for {
		part, err := in.ReadSlice('\n')
		n += len(part)
		if err == nil {
			return n
		}
		if err != bufio.ErrBufferFull {
			t.Fatal(err)
		}
	}
}

func measure(t *testing.T, use func(*bufio.Reader, io.Writer)) int64 {
	t.Helper()
	return measureWith(t, "application/json", 10, use)
}

// measureWith runs a bridge in a process of its own against a server whose answers have size, and returns the most
// memory that the process has used, in bytes.
func measureWith(t *testing.T, kind string, size int64, use func(*bufio.Reader, io.Writer)) int64 {
	t.Helper()
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, _ arrival) bool {
		w.Header().Set("Content-Type", kind)
		if kind != "application/json" {
			io.WriteString(w, "data: ")
		}
		io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":"`)
		_, _ = io.Copy(w, io.LimitReader(letters{}, size))
		io.WriteString(w, "\"}\n\n")
		return true
	})
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), asBridge+"="+f.url())
	cmd.WaitDelay = time.Second
	out, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	use(bufio.NewReader(in), out)
	out.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	peak := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
	if !strings.Contains(runtime.GOOS, "darwin") {
		peak <<= 10 // kilobytes everywhere but on macOS
	}
	return peak
}
