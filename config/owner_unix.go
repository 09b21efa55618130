//go:build unix

package config

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// checkOwner refuses a file that somebody else could have written: it decides which servers get tokens.
func checkOwner(path string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if ok && int(st.Uid) != os.Getuid() {
		return errors.New("it belongs to another user")
	}
	if info.Mode().Perm()&0o022 != 0 {
		return errors.New("others can write to it; run chmod go-w " + path)
	}
	return nil
}
