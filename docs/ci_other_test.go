//go:build unix && !linux

package docs_test

// role is for systems that have containers.
func role() {}
