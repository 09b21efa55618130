package atomicfile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// placed reads a file that Place has made.
func placed(t *testing.T, path string) string {
	t.Helper()
	data, err := Read(path, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return string(PlacedContent(data))
}

func place(t *testing.T, path string, room int) *Placed {
	t.Helper()
	p, err := Place(path, room)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPlaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, content := range []string{"first", "second, longer"} {
		p := place(t, path, 100)
		if got := placed(t, path); got != "" {
			t.Errorf("before Fill: %q", got)
		}
		if err := p.Fill([]byte(content)); err != nil {
			t.Fatal(err)
		}
		if got := placed(t, path); got != content {
			t.Errorf("%q, want %q", got, content)
		}
	}
	place(t, path, 100).Discard()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Discard: %v", err)
	}
	if err := place(t, path, 4).Fill([]byte("12345")); !errors.Is(err, ErrTooBig) {
		t.Errorf("more than the room: %v", err)
	}
}

// A file that was removed meanwhile keeps nothing, and Fill says so.
func TestPlacedThatIsGone(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // which keeps a file that is open
	}
	path := filepath.Join(t.TempDir(), "file")
	p := place(t, path, 100)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := p.Fill([]byte("content")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removed: %v", err)
	}
	p = place(t, path, 100)
	if err := errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := p.Fill([]byte("content")); !errors.Is(err, ErrForeign) {
		t.Errorf("replaced: %v", err)
	}
}

func TestPlacedContentOfAnything(t *testing.T) {
	for _, data := range [][]byte{nil, make([]byte, 7), make([]byte, 8), make([]byte, 9), {0, 0, 0, 0, 0, 0, 0, 2, 'x'}, {255, 255, 255, 255, 255, 255, 255, 255, 'x'}} {
		if got := PlacedContent(data); got != nil {
			t.Errorf("%v holds %q", data, got)
		}
	}
}

// Whatever is in a placed file, its content is a part of it.
func FuzzPlacedContent(f *testing.F) {
	for _, seed := range [][]byte{nil, make([]byte, 20), {0, 0, 0, 0, 0, 0, 0, 2, 'o', 'k', 0}, {0x80, 0, 0, 0, 0, 0, 0, 1, 'x'}} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if got := PlacedContent(data); len(got) > 0 && !bytes.HasPrefix(data[placedHead:], got) {
			t.Fatalf("%q in %q", got, data)
		}
	})
}
