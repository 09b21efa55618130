package change

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/host"
)

// put writes a text over what a file has.
func put(t *testing.T, l Log, path, text string) string {
	t.Helper()
	f, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	edits := []host.Edit{{Offset: 0, Len: len(f.Text), New: text}}
	backup, err := l.Write(f, []byte(text), edits)
	if err != nil {
		t.Fatal(err)
	}
	return backup
}

func content(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		return "none"
	}
	return string(data)
}

// What was written is taken back, the last first, with the mode of the file; a file that was not there goes again.
func TestUndo(t *testing.T) {
	dir := t.TempDir()
	l := Log{filepath.Join(dir, "log")}
	old, fresh := filepath.Join(dir, "old"), filepath.Join(dir, "sub", "fresh")
	if err := os.WriteFile(old, []byte("one"), 0o640); err != nil {
		t.Fatal(err)
	}
	if backup := put(t, l, old, "two"); content(t, backup) != "one" || content(t, old) != "two" {
		t.Errorf("the backup has %q", content(t, backup))
	}
	put(t, l, old, "three")
	if backup := put(t, l, fresh, "new"); backup != "" || content(t, fresh) != "new" {
		t.Errorf("the new file has the backup %q", backup)
	}
	restored, err := l.Undo()
	if err != nil || len(restored) != 3 || content(t, old) != "one" || content(t, fresh) != "none" {
		t.Errorf("%q %v: %q, %q", restored, err, content(t, old), content(t, fresh))
	}
	if info, err := os.Stat(old); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
		t.Errorf("its mode is %v", info.Mode())
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*before*")); len(left) != 0 || content(t, l.Path) != "none" {
		t.Errorf("left: %q", left)
	}
	if restored, err := l.Undo(); err != nil || len(restored) != 0 {
		t.Errorf("once more: %q %v", restored, err)
	}
}

// Of a file that others have changed since, our part alone is taken back; where they have changed that, nothing is.
func TestUndoAfterOthers(t *testing.T) {
	dir := t.TempDir()
	l := Log{filepath.Join(dir, "log")}
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, []byte("a old b"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	backup, err := l.Write(f, []byte("a ours b"), []host.Edit{{Offset: 2, Len: 3, New: "ours"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("a ou-rs b, and theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Undo(); err == nil || !strings.Contains(err.Error(), backup) || content(t, path) != "a ou-rs b, and theirs" || content(t, backup) != "a old b" {
		t.Errorf("%v: %q", err, content(t, path))
	}
	if err := os.WriteFile(path, []byte("a ours b, and theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	if restored, err := l.Undo(); err != nil || len(restored) != 1 || content(t, path) != "a old b, and theirs" {
		t.Errorf("%q %v: %q", restored, err, content(t, path))
	}
}

// A file that has changed since it was read is not written; a symbolic link stays one.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	l := Log{filepath.Join(dir, "log")}
	path, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := os.WriteFile(path, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Write(f, []byte("two"), nil); err == nil || content(t, path) != "another" || content(t, l.Path) != "none" {
		t.Errorf("%v: %q", err, content(t, path))
	}
	if err := os.Symlink(path, link); err != nil {
		if runtime.GOOS == "windows" {
			return // only administrators make links there
		}
		t.Fatal(err)
	}
	put(t, l, link, "two")
	if to, err := os.Readlink(link); err != nil || to != path || content(t, path) != "two" {
		t.Errorf("%q %v: %q", to, err, content(t, path))
	}
	if err := os.WriteFile(l.Path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Undo(); err == nil || !bytes.Contains([]byte(err.Error()), []byte(l.Path)) {
		t.Errorf("a broken record: %v", err)
	}
}

// The record of writes is what we wrote, or an error that names it: then nothing is undone.
func FuzzLog(f *testing.F) {
	for _, seed := range []string{`[{"path":"p","after":"00","edits":[{"Offset":0,"Len":1,"New":"x"}]}]`, `[]`, `null`, `{}`, `[{"path":1}]`, ``, `[{"edits":[{"Offset":-1,"Len":99}]}]`,
		`[{"edits":[{"Offset":9223372036854775807,"Len":1,"New":"text"}]}]`} {
		f.Add([]byte(seed), []byte("text"))
	}
	f.Fuzz(func(t *testing.T, record, text []byte) {
		l := Log{Path: filepath.Join(t.TempDir(), "log")}
		if err := os.WriteFile(l.Path, record, 0o600); err != nil {
			t.Fatal(err)
		}
		all, err := l.read()
		if err != nil {
			if !strings.Contains(err.Error(), l.Path) {
				t.Fatal(err)
			}
			return
		}
		for _, w := range all {
			if out, ok := host.Undo(text, nil, w.Edits); ok && len(w.Edits) == 0 && !bytes.Equal(out, text) {
				t.Fatalf("%q became %q without an edit", text, out)
			}
		}
	})
}
