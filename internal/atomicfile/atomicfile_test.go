package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, entry := range entries {
		out = append(out, entry.Name())
	}
	return out
}

func TestWriteThenRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, text := range []string{"one", "", "three"} {
		if err := Write(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		got, err := Read(path, 5)
		if err != nil || string(got) != text {
			t.Fatalf("got %q, error %v; want %q", got, err, text)
		}
	}
	if got := names(t, dir); !slices.Equal(got, []string{"file"}) {
		t.Fatalf("left behind: %v", got)
	}
}

func TestReadRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := Write(path, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		path string
		max  int64
		want error
	}{
		"one byte too many": {path, 99, ErrTooBig},
		"missing":           {path + "x", 100, fs.ErrNotExist},
		"a directory":       {dir, 100, ErrForeign},
	} {
		if data, err := Read(c.path, c.max); !errors.Is(err, c.want) || data != nil {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
}

func TestFailedWriteLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "folder")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, []byte("x")); err == nil {
		t.Fatal("a directory was replaced by a file")
	}
	if err := Write(filepath.Join(dir, "missing", "file"), []byte("x")); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%v", err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{"folder"}) {
		t.Fatalf("left behind: %v", got)
	}
}

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	keep := []string{".file.12.tmp.", ".file.tmp", ".file.x1.tmp", "..12.tmp", "file", "file.12.tmp", ".new.12.tmp"}
	if runtime.GOOS == "windows" {
		keep = keep[1:] // a dot at the end of a name is dropped there
	}
	for _, name := range append([]string{".file.12.tmp", ".a.b.3.tmp"}, keep...) {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if name == ".new.12.tmp" {
			continue
		}
		if err := os.Chtimes(path, time.Time{}, time.Now().Add(-2*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if err := Sweep(dir, time.Minute); err != nil {
		t.Fatal(err)
	}
	slices.Sort(keep)
	if got := names(t, dir); !slices.Equal(got, keep) {
		t.Fatalf("left %v, want %v", got, keep)
	}
	if err := Sweep(filepath.Join(dir, "missing"), time.Minute); err != nil {
		t.Fatal(err)
	}
}

func TestSweepKnowsTheNamesOfPrepare(t *testing.T) {
	p, err := Prepare(filepath.Join(t.TempDir(), "file"), 1)
	if err != nil {
		t.Fatal(err)
	}
	_ = p.file.Close() // its writer was killed
	temp := p.file.Name()
	if err := Sweep(filepath.Dir(temp), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(temp); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%s was not swept: %v", temp, err)
	}
}

func TestConcurrentWritersAndReaders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := Write(path, content(0)); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 4)
	for n := range byte(4) {
		go func() {
			var failed error
			for range 20 {
				failed = errors.Join(failed, Write(path, content(n)))
			}
			done <- failed
		}()
	}
	for left := 4; left > 0; {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			left--
		default:
			if data, err := Read(path, 1<<20); err != nil || !isContent(data) {
				t.Fatalf("%d bytes, error %v", len(data), err)
			}
		}
	}
}

// A writer that is killed at any moment leaves the old file or the new one.
func TestKilledWriters(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for n := range 100 {
		cmd, out := startWriter(t, path)
		if _, err := out.Read(make([]byte, 1)); err != nil { // it has written once
			t.Fatal(err)
		}
		spin(time.Duration(n) * 50 * time.Microsecond) // another moment in each round
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		out.Close()
		if data, err := Read(path, 1<<20); err != nil || !isContent(data) {
			t.Fatalf("after kill %d: %d bytes, error %v", n, len(data), err)
		}
	}
	if len(names(t, dir)) == 1 {
		t.Fatal("no kill came in the middle of a write")
	}
	if err := Sweep(dir, 0); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{"file"}) {
		t.Fatalf("left after the sweep: %v", got)
	}
}

func spin(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
	}
}
