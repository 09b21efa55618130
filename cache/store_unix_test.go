//go:build unix

package cache

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/mcp-credential/mcp-credential/internal/atomicfile"

	"github.com/mcp-credential/mcp-credential/internal/testsupport"
)

func TestExposedAndForeignTokenFiles(t *testing.T) {
	for what, spoil := range map[string]struct {
		do    func(path string) error
		cause error
	}{
		"readable by all":  {func(path string) error { return os.Chmod(path, 0o644) }, atomicfile.ErrExposed},
		"writable by some": {func(path string) error { return os.Chmod(path, 0o620) }, atomicfile.ErrExposed},
		"a symlink": {func(path string) error {
			return errors.Join(os.Rename(path, path+"x"), os.Symlink(path+"x", path))
		}, atomicfile.ErrForeign},
		"a pipe": {func(path string) error { return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)) }, atomicfile.ErrForeign},
	} {
		t.Run(what, func(t *testing.T) { unusable(t, spoil.do, spoil.cause) })
	}
}

func TestForeignTokenFile(t *testing.T) {
	if os.Geteuid() != 0 {
		testsupport.Missing(t, "root: give a file away")
	}
	unusable(t, func(path string) error { return os.Chown(path, 65534, 65534) }, atomicfile.ErrForeign)
}
