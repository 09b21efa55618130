package home

import "io/fs"

// userVariable names the user's profile directory.
const userVariable = "USERPROFILE"

// checkAccess accepts every directory. Windows has no mode bits, and a profile's access list, which the directory
// inherits, admits the user, SYSTEM and administrators only; a home elsewhere is the choice of whoever sets it.
func (d Dir) checkAccess(_, _ fs.FileInfo) error { return nil }
