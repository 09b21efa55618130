//go:build unix

package forward

import (
	"io/fs"
	"os"
	"syscall"
)

func ours(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}

// closed reports whether a mode admits nobody but the owner.
func closed(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 == 0 }
