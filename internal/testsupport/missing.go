// Package testsupport is what the tests of several packages share: parts that a machine may lack, a clock, and other
// processes. Nothing else imports it.
package testsupport

import (
	"os"
	"testing"
)

// Missing skips the test on a developer's machine and names the missing part; in CI, which must have every part, it fails.
func Missing(t testing.TB, part string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal("missing in CI: " + part)
	}
	t.Skip("missing: " + part)
}
