package core

import (
	"fmt"
	"runtime"
)

type versionCmd struct{}

// Run prints the version and what it was built with.
func (versionCmd) Run(s streams) error {
	_, err := fmt.Fprintf(s.out, "mcp-credential %s (%s, %s/%s)\n", Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
