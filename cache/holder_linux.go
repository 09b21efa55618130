package cache

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Holder returns the process that holds the lock at path, as /proc/locks names it (proc_locks(5)); 0: nobody, or it is not to be known.
func Holder(path string) int {
	var info syscall.Stat_t
	if syscall.Stat(path, &info) != nil {
		return 0
	}
	f, err := os.Open("/proc/locks")
	if err != nil {
		return 0
	}
	defer f.Close()
	inode := ":" + strconv.FormatUint(info.Ino, 10)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) > 5 && words[1] == "FLOCK" && strings.HasSuffix(words[5], inode) {
			pid, _ := strconv.Atoi(words[4])
			return pid
		}
	}
	return 0
}
