//go:build !windows

package keychain

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// passHome is a home with an initialised password store, and a program pass that is the given shell script.
func passHome(t *testing.T, script string) (home string) {
	t.Helper()
	home = t.TempDir()
	bin := filepath.Join(home, "bin")
	entries := filepath.Join(home, passFolder, "mcp-credential", homeA)
	for _, dir := range []string{bin, entries} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for path, text := range map[string]string{
		filepath.Join(home, passFolder, ".gpg-id"): "nobody\n",
		filepath.Join(entries, "item.0.gpg"):       "x",
		filepath.Join(bin, "pass"):                 "#!/bin/sh\n" + script,
	} {
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("HOME", home)
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv(passOptions, "")
	return home
}

func TestAPassThatHangsIsLeftBehind(t *testing.T) {
	home := passHome(t, `echo $$ >"$HOME/pid.new"; mv "$HOME/pid.new" "$HOME/pid"; exec sleep 60`)
	k := mustOpen(t, Options{Store: "pass", Home: homeA})
	for range 2 { // the second call waits for the first one
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		start := time.Now()
		_, err := k.Get(ctx, "item")
		cancel()
		wantKind(t, err, credential.KeychainBroken)
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
	}
	endChild(t, filepath.Join(home, "pid"))
}

// endChild kills the process that has written its number to path.
func endChild(t *testing.T, path string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
		if err == nil {
			err = syscall.Kill(pid, syscall.SIGKILL)
		}
		if err != nil {
			t.Error(err)
		}
		return
	}
	t.Error("pass was never run")
}

func TestPassMayAskOnlyAPerson(t *testing.T) {
	home := passHome(t, `echo "$PASSWORD_STORE_GPG_OPTS" >"$HOME/options"; exit 2`)
	t.Setenv(passOptions, "--armor")
	for _, c := range []struct {
		interactive bool
		want        string
	}{{false, "--armor " + passQuiet}, {false, "--armor " + passQuiet}, {true, "--armor"}, {false, "--armor " + passQuiet}} {
		k := mustOpen(t, Options{Store: "pass", Home: homeA, Interactive: c.interactive})
		_, err := k.Get(t.Context(), "item")
		wantKind(t, err, credential.KeychainLocked)
		got, err := os.ReadFile(filepath.Join(home, "options"))
		if err != nil || strings.TrimSpace(string(got)) != c.want {
			t.Errorf("interactive %v: options %q, %v; want %q", c.interactive, got, err, c.want)
		}
	}
}

func TestPassIsMissing(t *testing.T) {
	home := passHome(t, "")
	for name, getenv := range map[string]func(string) string{
		"without a store": func(string) string { return t.TempDir() },
		"without a home":  func(string) string { return "" },
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(t.Context(), Options{Store: "pass", Home: homeA, Getenv: getenv})
			wantKind(t, err, credential.KeychainMissing)
		})
	}
	t.Setenv("PATH", filepath.Join(home, "nowhere"))
	_, err := Open(t.Context(), Options{Store: "pass", Home: homeA})
	wantKind(t, err, credential.KeychainMissing)
}
