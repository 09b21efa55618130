package cache

import (
	"os"
	"strconv"
	"strings"
)

// KeyQuota returns how many keys of the kernel this user has and may have (keyrings(7), /proc/key-users), and false where that is not
// to be known.
func KeyQuota() (used, most int, ok bool) {
	data, err := os.ReadFile("/proc/key-users")
	if err != nil {
		return 0, 0, false
	}
	return keyQuota(string(data), os.Getuid())
}

// keyQuota reads lines such as "1000: 7 7/7 6/200 416/20000": the fourth word is what counts.
func keyQuota(text string, uid int) (used, most int, ok bool) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 5 || words[0] != strconv.Itoa(uid)+":" {
			continue
		}
		have, may, _ := strings.Cut(words[3], "/")
		used, err1 := strconv.Atoi(have)
		most, err2 := strconv.Atoi(may)
		return used, most, err1 == nil && err2 == nil
	}
	return 0, 0, false
}
