package cache

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/testsupport"
)

var lockRoles = map[string]func([]string) error{"count": playCount, "hold": playHold}

// playCount adds 1 to the number in a file, args[1], as often as args[2] says, each time under the lock args[0].
func playCount(args []string) error {
	times, err := strconv.Atoi(args[2])
	for range times {
		err = errors.Join(err, countOnce(args[0], args[1]))
	}
	return err
}

func countOnce(lockPath, path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	held, err := Lock(ctx, lockPath)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	n, _ := strconv.Atoi(string(text))
	err = errors.Join(err, os.WriteFile(path, []byte(strconv.Itoa(n+1)), 0o600))
	return errors.Join(err, held.Release())
}

// playHold takes the lock args[0], says so, and keeps it until it is killed or its stdin ends.
func playHold(args []string) error {
	held, err := Lock(context.Background(), args[0])
	if err != nil {
		return err
	}
	defer held.Release()
	os.Stdout.WriteString("held\n")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func hold(t *testing.T, path string) *exec.Cmd {
	t.Helper()
	cmd := testsupport.Role(t, "hold", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
		t.Fatalf("%q, error %v", line, err)
	}
	return cmd
}

func lockPath(t *testing.T) string { return filepath.Join(t.TempDir(), "locks", signInA) }

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestProcessesCountUnderTheLock(t *testing.T) {
	const processes, times = 12, 15
	path, counter := lockPath(t), filepath.Join(t.TempDir(), "counter")
	if err := os.WriteFile(counter, []byte("0"), 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, processes)
	for range processes {
		cmd := testsupport.Role(t, "count", path, counter, strconv.Itoa(times))
		go func() { done <- cmd.Run() }()
	}
	for range processes {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if text, err := os.ReadFile(counter); err != nil || string(text) != strconv.Itoa(processes*times) {
		t.Errorf("counted %s, error %v; want %d", text, err, processes*times)
	}
}

func TestLockExcludesInOneProcessToo(t *testing.T) {
	path := lockPath(t)
	held, ok, err := TryLock(path)
	if err != nil || !ok {
		t.Fatalf("%v, %v", ok, err)
	}
	if _, ok, err := TryLock(path); ok || err != nil {
		t.Fatalf("taken twice: %v, %v", ok, err)
	}
	if err := held.Release(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatalf("the file is gone: %v", err)
	}
	again, err := Lock(within(t, patience), path)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Release()
	if after, err := os.Stat(path); err != nil || !os.SameFile(info, after) {
		t.Fatalf("another file: %v", err)
	}
}

func TestLockIsFreeOnceItsHolderIsKilled(t *testing.T) {
	path := lockPath(t)
	for range 5 {
		cmd := hold(t, path)
		if _, ok, err := TryLock(path); ok || err != nil {
			t.Fatalf("taken from its holder: %v, %v", ok, err)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		held, ok, err := TryLock(path)
		if !ok || err != nil {
			t.Fatalf("still held: %v, %v", ok, err)
		}
		if err := held.Release(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWaiterGetsTheLockOfAKilledHolder(t *testing.T) {
	path := lockPath(t)
	cmd := hold(t, path)
	done := make(chan error, 1)
	go func() {
		held, err := Lock(within(t, patience), path)
		if err == nil {
			err = held.Release()
		}
		done <- err
	}()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestLockEndsWithItsContext(t *testing.T) {
	path := lockPath(t)
	hold(t, path)
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for want, ctx := range map[error]context.Context{context.DeadlineExceeded: within(t, 30*time.Millisecond), context.Canceled: cancelled} {
		start := time.Now()
		_, err := Lock(ctx, path)
		if credential.KindOf(err) != credential.StillRefreshing || !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
	}
}

func TestLockThatCannotBeOpened(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(file, "lock"), filepath.Dir(file)} {
		if _, err := Lock(within(t, patience), path); err == nil || credential.KindOf(err) != credential.Internal {
			t.Errorf("%v", err)
		}
	}
}

// The lock file stays when its holder ends: had it removed it, one process could lock the old file and another a new one.
func TestLockFileStaysMCPRemote320(t *testing.T) {
	path := lockPath(t)
	held, err := Lock(within(t, patience), path)
	if err != nil {
		t.Fatal(err)
	}
	first, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := held.Release(); err != nil {
		t.Fatal(err)
	}
	cmd := hold(t, path)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	held, err = Lock(within(t, patience), path)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	if last, err := os.Stat(path); err != nil || !os.SameFile(first, last) {
		t.Errorf("the lock file is another one, error %v", err)
	}
}
