//go:build unix

package detach

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// parent starts a child as a program does that was started with a descriptor too many, says so, and stays.
func parent() {
	env := []string{roleVariable + "=child"}
	for _, name := range []string{reportVariable, stayVariable} {
		env = append(env, name+"="+os.Getenv(name))
	}
	if err := Start(os.Args[0], nil, env); err != nil {
		os.Exit(1)
	}
	os.Stdout.Write([]byte("started"))
	select {}
}

func leads() bool {
	sid, err := unix.Getsid(0)
	return err == nil && sid == os.Getpid()
}

// startParent runs parent in a process group of its own. leak is read at the other end of a pipe that it has inherited.
func startParent(t *testing.T, env ...string) (cmd *exec.Cmd, leak *os.File) {
	t.Helper()
	leak, far, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(executable(t))
	cmd.Env = append(append(os.Environ(), roleVariable+"=parent"), env...)
	cmd.ExtraFiles = []*os.File{far}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	far.Close()
	if _, err := io.ReadFull(out, make([]byte, len("started"))); err != nil {
		t.Fatal(err)
	}
	return cmd, leak
}

// A host that kills its helper's whole group does not reach the child, and reads the end of its pipe at once.
func TestChildOutlivesItsParentsGroup(t *testing.T) {
	dir := t.TempDir()
	path, stay := filepath.Join(dir, "report"), filepath.Join(dir, "stay")
	cmd, leak := startParent(t, reportVariable+"="+path, stayVariable+"="+stay)
	r := awaitReport(t, path)
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if err := leak.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := leak.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the child holds its grandparent's pipe: %v", err)
	}
	if err := syscall.Kill(r.PID, 0); err != nil {
		t.Errorf("the child died with its parent: %v", err)
	}
	if err := os.WriteFile(stay, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if !until(func() bool { _, err := os.Lstat(stay); return os.IsNotExist(err) }) {
		t.Error("the child does nothing any more")
	}
}

func TestNoZombieIsKept(t *testing.T) {
	r := started(t, nil)
	if !until(func() bool { return syscall.Kill(r.PID, 0) == syscall.ESRCH }) {
		t.Error("the child is still there")
	}
}

func TestMarking(t *testing.T) {
	for name, mark := range map[string]func(){
		"closeOnExec": closeOnExec,
		"listed":      func() { markListed("/dev/fd") },
		"unlistable":  func() { markListed("/missing") },
	} {
		fds := make([]int, 2)
		if err := syscall.Pipe(fds); err != nil {
			t.Fatal(err)
		}
		mark()
		for _, fd := range fds {
			if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
				t.Errorf("%s: descriptor %d stays open, error %v", name, fd, err)
			}
			_ = syscall.Close(fd)
		}
	}
	if flags, err := unix.FcntlInt(2, unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC != 0 {
		t.Errorf("standard error is marked, error %v", err)
	}
}

func BenchmarkStart(b *testing.B) {
	exe, err := exec.LookPath("true")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := Start(exe, nil, nil); err != nil {
			b.Fatal(err)
		}
	}
}
