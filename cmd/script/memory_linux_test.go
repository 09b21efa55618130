package script

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mcp-credential/mcp-credential/internal/testsupport"
)

// nobody is the user that the programs run as where the tests are root's: root may read every memory.
const nobody = 65534

// Neither program leaves a core dump, and no program of the same user may open its memory or its environment. A program
// that does not refuse shows that the system would have let both happen.
func TestMemoryIsClosed(t *testing.T) {
	dir := forEverybody(t)
	for _, c := range []struct {
		name   string
		args   []string
		closed bool
	}{
		{"another program", []string{"cat"}, false},
		{"front", []string{filepath.Join(dir, "mcp-credential"), "get"}, true},
		{"core", []string{filepath.Join(dir, "mcp-credential-core"), "get"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := reading(t, dir, c.args)
			if readable(cmd.Process.Pid, "environ") == c.closed {
				t.Errorf("its environment is closed: %v", !c.closed)
			}
			if c.closed && readable(cmd.Process.Pid, "mem") { // the system may close that of every program
				t.Error("its memory can be read")
			}
			switch dumped := abort(t, cmd); {
			case dumped && c.closed:
				t.Error("it leaves a core dump")
			case !dumped && !c.closed:
				testsupport.Missing(t, "a system in which programs may leave core dumps")
			}
		})
	}
}

// forEverybody is a folder with the programs that every user may enter.
func forEverybody(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mcp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"mcp-credential", "mcp-credential-core"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// sameUser has a program run as somebody who is not root.
func sameUser() *syscall.SysProcAttr {
	if os.Getuid() != 0 {
		return nil
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}

// reading starts a program with the right to leave a core dump, and returns when it has read what was sent to its stdin.
func reading(t *testing.T, dir string, args []string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sh", append([]string{"-c", `ulimit -S -c unlimited && exec "$@"`, "sh"}, args...)...)
	cmd.Dir, cmd.SysProcAttr = dir, sameUser()
	cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "GOTRACEBACK=crash"}
	in, hold, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(in.Close(), hold.Close()) })
	cmd.Stdin = in
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	if _, err := io.WriteString(hold, "url="); err != nil {
		t.Fatal(err)
	}
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(patience); ; <-ticker.C {
		if left, err := unix.IoctlGetInt(int(in.Fd()), unix.TIOCINQ); err != nil || time.Now().After(end) {
			t.Fatal("it does not read:", err)
		} else if left == 0 {
			return cmd
		}
	}
}

// readable reports whether the same user may read a file of a process.
func readable(pid int, file string) bool {
	cat := exec.Command("dd", "if=/proc/"+strconv.Itoa(pid)+"/"+file, "bs=1", "count=1")
	cat.SysProcAttr = sameUser()
	words, _ := cat.CombinedOutput()
	return !strings.Contains(string(words), "Permission denied")
}

// abort ends a program by the signal that asks for a core dump, and reports whether there was one.
func abort(t *testing.T, cmd *exec.Cmd) bool {
	t.Helper()
	if err := cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !status.Signaled() {
		t.Fatalf("it ended by itself: %v", cmd.ProcessState)
	}
	return status.CoreDump()
}
