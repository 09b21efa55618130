// Package lacking is what a test says when its machine lacks a part that it needs. What the part is, and whether it is
// there, is the test's to know.
package lacking

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
