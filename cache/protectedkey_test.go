package cache

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/mcp-credential/mcp-credential/credential"
)

func TestBox(t *testing.T) {
	s, _ := newStore(t)
	if _, err := s.UnprotectKey(signInA); !errors.Is(err, ErrMiss) {
		t.Errorf("before: %v", err)
	}
	err := s.ProtectKey(signInA, dataKey(1))
	if runtime.GOOS != "windows" {
		if !errors.Is(err, ErrNoTier) {
			t.Errorf("a box on %s: %v", runtime.GOOS, err)
		}
	} else if got, uerr := s.UnprotectKey(signInA); err != nil || uerr != nil || !got.Equal(dataKey(1)) {
		t.Errorf("%v, %v", err, uerr)
	}
	if err := s.ProtectKey("../x", dataKey(1)); err == nil {
		t.Error("a path as an ID")
	}
	if err := s.ProtectKey(signInA, credential.NewSecret("short")); err == nil {
		t.Error("a short key")
	}
}

func TestDamagedBox(t *testing.T) {
	s, _ := newStore(t)
	path := s.dir.File(tokenFolder, signInA, keyFile)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("not a box"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.UnprotectKey(signInA); !errors.Is(err, ErrDamaged) {
		t.Errorf("%v", err)
	}
	if err := s.Forget(signInA); err != nil {
		t.Fatal(err)
	}
	if _, err := s.UnprotectKey(signInA); !errors.Is(err, ErrMiss) {
		t.Errorf("forgotten: %v", err)
	}
}
