//go:build unix

package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// open opens path for reading; the last element may not be a symlink, and a named pipe does not block.
func open(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, &fs.PathError{Op: "read", Path: path, Err: ErrForeign}
	}
	return file, err
}

func judgeOwner(info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(stat.Uid) != os.Geteuid() {
		return ErrForeign
	}
	if info.Mode().Perm()&0o077 != 0 {
		return ErrExposed
	}
	return nil
}

// replace renames temp over path, which POSIX makes atomic.
func replace(temp, path string) error { return os.Rename(temp, path) }

// syncDir makes a rename in dir durable. File systems that cannot sync a directory (EINVAL, ENOTSUP) are taken to be
// as durable as they get.
func syncDir(dir string) error {
	file, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := file.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return err
	}
	return nil
}
