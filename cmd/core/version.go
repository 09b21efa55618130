package core

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
)

// What a release sets with -ldflags -X.
var (
	Version = "" // as git describes it; empty: see build
	Commit  = "" // that it was built from
	Date    = "" // of that commit, RFC 3339
)

type versionCmd struct{}

// Run prints the version and what it was built from and with.
func (versionCmd) Run(s streams) error {
	from := []string{Commit, Date, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
	from = slices.DeleteFunc(from, func(s string) bool { return s == "" })
	_, err := fmt.Fprintf(s.out, "mcp-credential %s (%s)\n", version(), strings.Join(from, ", "))
	return err
}

// version is what this build is called: by the release, else by the module that go install has fetched.
func version() string {
	if Version != "" {
		return Version
	}
	if info, ok := debug.ReadBuildInfo(); ok && strings.HasPrefix(info.Main.Version, "v") {
		return info.Main.Version
	}
	return "dev"
}
