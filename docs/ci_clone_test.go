//go:build unix

package docs_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/internal/testsupport"
)

// clone is a git that clones this checkout, wherever it is told to clone from.
func clone(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	git := tool(t, "git")
	return "#!/bin/sh\n[ \"$1\" = clone ] || exec '" + git + "' \"$@\"\nrm -rf mcp-credential\nexec '" + git + "' -c safe.directory='*' clone --quiet --depth 1 'file://" + root + "' mcp-credential\n"
}

func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		testsupport.Missing(t, name)
	}
	return path
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
