//go:build unix

package home

import (
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

// userVariable names the user's home. The password database is not asked: os/user links cgo or reads files, and hosts
// that clear the environment keep HOME.
const userVariable = "HOME"

// checkAccess holds the directory, and the symlink that leads to it if there is one, to the caller as owner, and the
// directory to mode 0700. The set-group-ID bit, which directories inherit on some file systems, does no harm.
func (d Dir) checkAccess(link, info fs.FileInfo) error {
	if !ours(link) || !ours(info) {
		return d.fail("belongs to another user; set "+Variable+" to a directory of your own", nil)
	}
	if mode := info.Mode().Perm(); mode != 0o700 {
		return d.fail("has mode 0"+strconv.FormatUint(uint64(mode), 8)+" instead of 0700; run: chmod 700 '"+shown(d.Path)+"'", nil)
	}
	return nil
}

func ours(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}
