package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain plays the client that a measurement starts: this test program again, which must not begin its tests anew.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == clientRole {
		if run(context.Background(), os.Args[1:], io.Discard) != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// The numbers mean nothing in a test; that every pair is measured does.
func TestBench(t *testing.T) {
	bin, temp := t.TempDir(), t.TempDir()
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(name, temp)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin+string(filepath.Separator), "../../cmd/mcp-credential", "../../cmd/mcp-credential-core")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f, err := newGetBench(t.Context(), bin)
	if err != nil {
		t.Fatal(err)
	}
	b, err := newBridgeBench(t.Context(), bin, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if _, err := measureAll(t.Context(), f, b, 3, &out); err != nil {
		t.Error(err)
	}
	for _, word := range []string{"get, 1,000 servers", "the same through the bridge", "1000 calls at once", "not compared with the Inspector", "\nfile "} {
		if !strings.Contains(out.String(), word) {
			t.Errorf("nothing of %q:\n%s", word, out.String())
		}
	}
	b.clear()
	if err := f.clear(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"-runs", "99"}, {"-nonsense"}, {"-bin", t.TempDir()}} {
		if err := run(t.Context(), args, io.Discard); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}
