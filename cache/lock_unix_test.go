//go:build unix

package cache

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// A holder that is stopped keeps its lock; who waits for it ends with its own deadline.
func TestStoppedHolder(t *testing.T) {
	path := lockPath(t)
	cmd := hold(t, path)
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	_, err := Lock(within(t, 100*time.Millisecond), path)
	if credential.KindOf(err) != credential.StillRefreshing || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestLockFileIsPrivate(t *testing.T) {
	path := lockPath(t)
	held, err := Lock(within(t, patience), path)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	for p, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, error %v", p, info.Mode(), err)
		}
	}
}
