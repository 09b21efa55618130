package core

import (
	"os"
	"testing"
	"time"
)

// homeDir is a home for programs under test. What refreshes or signs in outlives the program that started it, so that the
// home is gone only when nothing is written to it any more; t.TempDir tries once.
func homeDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "core")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := os.RemoveAll(dir)
		for end := time.Now().Add(slow); err != nil && time.Now().Before(end); err = os.RemoveAll(dir) {
			time.Sleep(time.Millisecond)
		}
		if err != nil {
			t.Errorf("something still writes there: %v", err)
		}
	})
	return dir
}
