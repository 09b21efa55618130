package atomicfile

import (
	"bytes"
	"crypto/rand"
	"errors"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/mcp-credential/mcp-credential/internal/testsupport"
)

// A full disk keeps the old file and no temporary one.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		testsupport.Missing(t, "root: mount a small tmpfs")
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
	path := filepath.Join(dir, "file")
	old := bytes.Repeat([]byte("old"), 10_000)
	if err := Write(path, old); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, make([]byte, 60_000)); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("%v, want ENOSPC", err)
	}
	if got, err := Read(path, 1<<20); err != nil || !bytes.Equal(got, old) {
		t.Fatalf("the old file: %d bytes, error %v", len(got), err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{"file"}) {
		t.Fatalf("left behind: %v", got)
	}
}

// What was prepared can be committed on a disk that was filled since.
func TestPreparedOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		testsupport.Missing(t, "root: mount a small tmpfs")
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
	path := filepath.Join(dir, "file")
	p, err := Prepare(path, 16<<10)
	if err != nil {
		t.Fatal(err)
	}
	for Write(filepath.Join(dir, rand.Text()), make([]byte, 4<<10)) == nil {
	}
	want := bytes.Repeat([]byte("new"), 5_000)
	if err := p.Commit(want); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(path, 1<<20); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes, error %v", len(got), err)
	}
}

// A read-only file system refuses a write and keeps what it has.
func TestReadOnlyDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		testsupport.Missing(t, "root: mount a small tmpfs")
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
	path := filepath.Join(dir, "file")
	if err := Write(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, []byte("new")); !errors.Is(err, syscall.EROFS) {
		t.Fatalf("%v, want EROFS", err)
	}
	if got, err := Read(path, 10); err != nil || string(got) != "old" {
		t.Fatalf("%q, error %v", got, err)
	}
}
