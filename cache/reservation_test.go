package cache

import (
	"os"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// A folder of tokens that cannot be written to loses none: the spare one serves, until the usual one has a newer token.
func TestSpareFolder(t *testing.T) {
	s, c := newStore(t)
	blocked := s.dir.File(tokenFolder, signInA)
	plant(t, blocked, []byte("a file where a folder should be"))
	read := func() string {
		t.Helper()
		got, err := s.Token(signInA, token1)
		if err != nil {
			t.Fatal(err)
		}
		return got.Access.Reveal()
	}
	keep(t, s, dataKey(1), signInA, token1, sample("spare", c.Now(), time.Hour))
	if got := read(); got != "spare" {
		t.Errorf("token %q", got)
	}
	r, err := s.Reserve(signInA, token1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	if err := r.Put(dataKey(1), sample("room", c.Now().Add(time.Second), time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := read(); got != "room" {
		t.Errorf("token %q", got)
	}
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	keep(t, s, dataKey(1), signInA, token1, sample("usual", c.Now().Add(time.Minute), time.Hour))
	if got := read(); got != "usual" {
		t.Errorf("token %q", got)
	}
	if err := s.Drop(signInA, token1); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Token(signInA, token1); err != ErrMiss {
		t.Errorf("after Drop: %v", err)
	}
}

// Reservation is used once; a second token goes its usual way, and released room leaves nothing behind.
func TestRoom(t *testing.T) {
	s, c := newStore(t)
	r, err := s.Reserve(signInA, token1)
	if err != nil {
		t.Fatal(err)
	}
	for _, access := range []string{"first", "second"} {
		if err := r.Put(dataKey(1), sample(access, c.Now(), time.Hour)); err != nil {
			t.Fatal(err)
		}
		if got, err := s.TokenWith(dataKey(1), signInA, token1); err != nil || got.Access.Reveal() != access {
			t.Errorf("%q, error %v", got.Access.Reveal(), err)
		}
	}
	other, err := s.Reserve(signInA, token2)
	if err != nil {
		t.Fatal(err)
	}
	other.Release()
	r.Release()
	entries, err := os.ReadDir(s.dir.File(tokenFolder, signInA))
	if err != nil || len(entries) != 1 {
		t.Errorf("%v, error %v", entries, err)
	}
	if _, err := s.Reserve("../x", token1); credential.KindOf(err) != credential.Internal {
		t.Errorf("a malformed ID: %v", err)
	}
}
