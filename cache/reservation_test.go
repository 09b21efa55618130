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

// A parked token is found in whichever of the two places it is, whole ones only; the other place is free for the next.
func TestParked(t *testing.T) {
	s, c := newStore(t)
	put := func(slot int, access string) {
		t.Helper()
		room, err := Parking{s}.Take(signInA, slot)
		if err != nil {
			t.Fatal(err)
		}
		defer room.Release()
		if err := room.Put(dataKey(1), sample(access, c.Now(), time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	want := func(all ...string) {
		t.Helper()
		got := Parking{s}.All(dataKey(1), signInA)
		if len(got) != len(all) {
			t.Fatalf("%d parked, want %v", len(got), all)
		}
		for i, p := range got {
			if p.Token.Access.Reveal() != all[i] {
				t.Errorf("parked: %s, want %s", p.Token.Access.Reveal(), all[i])
			}
		}
	}
	want()
	put(1, "first")
	want("first")
	room, err := Parking{s}.Take(signInA, 0)
	if err != nil {
		t.Fatal(err)
	}
	want("first") // room alone is nothing
	room.Release()
	put(0, "second")
	want("second", "first")
	if got := (Parking{s}).All(dataKey(2), signInA); len(got) != 0 {
		t.Errorf("%d open with another key", len(got))
	}
	for cut := range 200 { // what a torn write leaves: the beginning, then zeros
		path := s.dir.File(tokenFolder, signInA, parkedNames[0])
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		plant(t, path, append(data[:cut:cut], make([]byte, len(data)-cut)...))
		if cut < 150 {
			want("first")
		}
		plant(t, path, data)
	}
	if err := (Parking{s}).DropAll(signInA); err != nil {
		t.Fatal(err)
	}
	want()
}
