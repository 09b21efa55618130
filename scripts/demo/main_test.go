package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary play the browser.
func TestMain(m *testing.M) {
	if os.Getenv(browserRole) != "" {
		os.Exit(run(context.Background(), os.Args, os.Stdout, os.Stderr, false))
	}
	os.Exit(m.Run())
}

// build returns a folder with the programs as they are now.
func build(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "../../cmd/mcp-credential", "../../cmd/mcp-credential-core")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// temporary gives the demo a place of its own for its temporary folder, and wants it empty at the end.
func temporary(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(name, dir)
	}
	t.Cleanup(func() {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
	})
}

// limit is how long a demo may hold somebody's attention.
const limit = 20 * time.Second

func TestDemo(t *testing.T) {
	bin := build(t)
	t.Run("plays", func(t *testing.T) {
		temporary(t)
		var out, errs strings.Builder
		began := time.Now()
		if code := run(t.Context(), []string{"demo", "-bin", bin}, &out, &errs, false); code != 0 {
			t.Fatalf("exit code %d: %s\n%s", code, errs.String(), out.String())
		}
		if n := strings.Count(out.String(), "\n   ok "); n < len(steps) || strings.Contains(out.String(), "\x1b") {
			t.Errorf("%d facts, or colours:\n%s", n, out.String())
		}
		for line := range strings.Lines(out.String()) {
			if len(line) > 81 {
				t.Errorf("a line of %d columns: %s", len(line)-1, line)
			}
		}
		if took := time.Since(began); took > limit {
			t.Errorf("it took %v", took)
		}
	})
	t.Run("is interrupted", func(t *testing.T) {
		temporary(t)
		ctx, cancel := context.WithCancel(t.Context())
		out := &watcher{word: "until it expires", seen: cancel}
		var errs strings.Builder
		if code := run(ctx, []string{"demo", "-bin", bin}, out, &errs, false); code != 1 || !strings.Contains(errs.String(), "canceled") {
			t.Errorf("exit code %d: %s", code, errs.String())
		}
	})
}

// watcher calls seen when word is written.
type watcher struct {
	word string
	seen func()
}

func (w *watcher) Write(p []byte) (int, error) {
	if strings.Contains(string(p), w.word) {
		w.seen()
	}
	return len(p), nil
}

// The demo fails where the program does: here it is one that cannot sign in.
func TestDemoFails(t *testing.T) {
	self, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	name := "mcp-credential"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	if err := os.WriteFile(filepath.Join(bin, name), self, 0o700); err != nil {
		t.Fatal(err)
	}
	for want, bin := range map[string]string{"step 1 is not as it should be": bin, "make build": t.TempDir()} {
		t.Run(want, func(t *testing.T) {
			temporary(t)
			var errs strings.Builder
			if code := run(t.Context(), []string{"demo", "-bin", bin}, io.Discard, &errs, false); code != 1 || !strings.Contains(errs.String(), want) {
				t.Errorf("exit code %d: %s", code, errs.String())
			}
		})
	}
}
