package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

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
	f, err := newField(t.Context(), bin)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if _, err := table(t.Context(), f.pairs(), 3, &out); err != nil {
		t.Error(err)
	}
	if rows := strings.Count(out.String(), "\n"); rows < 6 {
		t.Errorf("%d rows:\n%s", rows, out.String())
	}
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
