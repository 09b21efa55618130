package cache

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What a server said is sealed, opens with its key alone and only at its place, and goes with the sign-in.
func TestMemory(t *testing.T) {
	s, c := newStore(t)
	m, other := Memory{s, signInA, token1}, Memory{s, signInA, token2}
	if _, err := m.Get(dataKey(1)); !errors.Is(err, ErrMiss) {
		t.Fatalf("before: %v", err)
	}
	said := []byte("the tools of a server")
	if err := m.Put(dataKey(1), said); err != nil {
		t.Fatal(err)
	}
	if got, err := m.Get(dataKey(1)); err != nil || !bytes.Equal(got, said) {
		t.Fatalf("%q %v", got, err)
	}
	path, _ := m.path()
	file, err := os.ReadFile(path)
	if err != nil || bytes.Contains(file, []byte("tools")) {
		t.Errorf("on the disk: %q %v", file, err)
	}
	if _, err := m.Get(dataKey(2)); !errors.Is(err, ErrDamaged) {
		t.Errorf("with another key: %v", err)
	}
	elsewhere, _ := other.path()
	if err := os.WriteFile(elsewhere, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Get(dataKey(1)); !errors.Is(err, ErrDamaged) {
		t.Errorf("at another place: %v", err)
	}
	// A token file is no memory, nor the other way round, under the same key and the same identifier.
	keep(t, s, dataKey(1), signInA, token1, sample("one", c.Now(), time.Hour))
	token, _ := s.path(tokenFolder, signInA, token1)
	if err := os.Rename(path, token); err != nil {
		t.Fatal(err)
	}
	if _, err := s.TokenWith(dataKey(1), signInA, token1); !errors.Is(err, ErrDamaged) {
		t.Errorf("as a token: %v", err)
	}
	if err := errors.Join(m.Put(dataKey(1), said), other.Drop(), other.Drop()); err != nil {
		t.Fatal(err)
	}
	if err := s.Forget(signInA); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(path)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after Forget: %v", err)
	}
	if err := m.Put(dataKey(1), make([]byte, MaxMemory+overhead)); err == nil {
		t.Error("more than the bound was kept")
	}
	if err := (Memory{s, "../" + signInA[3:], token1}).Put(dataKey(1), said); err == nil {
		t.Error("a path was taken for an identifier")
	}
}
