package config

import "io/fs"

// checkOwner trusts the access control list of the user's profile, which only the user and administrators can write.
func checkOwner(string, fs.FileInfo) error { return nil }
