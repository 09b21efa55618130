// Package requires is for tests that need a part of their machine. What the part is, and whether it is
// there, is the test's to know.
package requires

import (
	"os"
	"testing"
)

// Part skips the test on a developer's machine and names the missing part; in CI, which must have every part, it fails.
func Part(t testing.TB, part string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal("missing in CI: " + part)
	}
	t.Skip("missing: " + part)
}
