//go:build unix

package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestReadJudgesMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := Write(path, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Fatalf("%v, error %v", info.Mode(), err)
	}
	for mode, want := range map[os.FileMode]error{
		0o600: nil, 0o400: nil, 0o700: nil,
		0o644: ErrExposed, 0o640: ErrExposed, 0o620: ErrExposed, 0o601: ErrExposed, 0o604: ErrExposed,
	} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(path, 10); !errors.Is(err, want) {
			t.Errorf("mode %v: %v, want %v", mode, err, want)
		}
	}
}

func TestReadFollowsNothingAndWaitsForNothing(t *testing.T) {
	dir := t.TempDir()
	path, link, pipe := filepath.Join(dir, "file"), filepath.Join(dir, "link"), filepath.Join(dir, "pipe")
	if err := Write(path, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{link, pipe, os.DevNull} {
		if _, err := Read(p, 10); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: %v", p, err)
		}
	}
}

func TestReadRefusesAnotherUsersFile(t *testing.T) {
	path := "/etc/passwd" // the root's, for everybody but the root
	if os.Geteuid() == 0 {
		path = filepath.Join(t.TempDir(), "file")
		if err := Write(path, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Read(path, 1<<20); !errors.Is(err, ErrForeign) {
		t.Fatalf("%v", err)
	}
}

func TestWriteReplacesASymlink(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := Write(target, []byte("old")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if err := Write(link, []byte("new")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{target: "old", link: "new"} {
		if got, err := Read(path, 10); err != nil || string(got) != want {
			t.Errorf("%s: %q, error %v", path, got, err)
		}
	}
}
