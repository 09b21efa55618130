package state

import (
	"os"
	"testing"
	"time"
)

// What killed writers leave behind goes with the next write to the folder; what may still be written stays.
func TestLeftoversAreSwept(t *testing.T) {
	b := book(t)
	if err := b.Writable(); err != nil {
		t.Fatal(err)
	}
	if err := b.PutSignIn(SignIn{ID: "id"}); err != nil {
		t.Fatal(err)
	}
	plant := func(folder, name string, age time.Duration) string {
		t.Helper()
		path := b.Dir.File(folder, name)
		if err := os.WriteFile(path, make([]byte, 8), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		return path
	}
	gone := []string{plant("marks", ".probe.123.tmp", 2*leftover), plant("signins", ".id.json.123.tmp", 2*leftover)}
	kept := []string{plant("marks", ".probe.456.tmp", leftover/2), plant("signins", ".id.json.456.tmp", leftover/2)}
	if err := b.Writable(); err != nil {
		t.Fatal(err)
	}
	if err := b.PutSignIn(SignIn{ID: "id"}); err != nil {
		t.Fatal(err)
	}
	for _, path := range gone {
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			t.Errorf("%s was not swept: %v", path, err)
		}
	}
	for _, path := range kept {
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}
