package core

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// A log file that was there before keeps its lines, and is closed to others where the system has modes for that.
func TestLogClosesItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("before\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := openLog(path, false, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	l.close()
	text, _ := os.ReadFile(path)
	info, err := os.Stat(path)
	if err != nil || string(text) != "before\n" || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v %q", err, info.Mode(), text)
	}
}

// What is no file keeps its mode.
func TestLogLeavesDevicesAlone(t *testing.T) {
	before, err := os.Stat(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	l, err := openLog(os.DevNull, false, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	if after, err := os.Stat(os.DevNull); err != nil || after.Mode() != before.Mode() {
		t.Errorf("%v: %v, then %v", err, before.Mode(), after.Mode())
	}
}
