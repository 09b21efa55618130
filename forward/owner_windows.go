package forward

import "io/fs"

// ours accepts every file: a profile's access list admits its user, SYSTEM and administrators (see internal/home).
func ours(fs.FileInfo) bool { return true }

func closed(fs.FileInfo) bool { return true }
