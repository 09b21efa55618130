package cache

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/credential"
)

const server = "https://h.example/mcp"

var pointer = Pointer{URL: server, SignIn: signInA, TokenID: token1, Name: "Weather", ConfigSize: 12, ConfigMTime: 34}

func point(t testing.TB, s *Store, q credential.Query, p Pointer) {
	t.Helper()
	if err := s.Point(q, p); err != nil {
		t.Fatal(err)
	}
}

func TestPointThenLookup(t *testing.T) {
	s, _ := newStore(t)
	q := credential.Query{URL: server, Account: "work", ClientID: "c", Scopes: []string{"b", "a"}}
	if _, err := s.Lookup(q); !errors.Is(err, ErrMiss) {
		t.Fatalf("before: %v", err)
	}
	point(t, s, q, pointer)
	for what, scopes := range map[string][]string{"sorted": {"a", "b"}, "repeated": {"b", "a", "b", ""}} {
		q.Scopes = scopes
		if got, err := s.Lookup(q); err != nil || got != pointer {
			t.Errorf("%s: got %+v, error %v", what, got, err)
		}
	}
}

func TestOtherQuestionsMiss(t *testing.T) {
	s, _ := newStore(t)
	point(t, s, credential.Query{URL: server, Account: "x"}, pointer)
	for _, q := range []credential.Query{
		{URL: server}, {URL: server + "/", Account: "x"}, {URL: server, ClientID: "x"}, {URL: server, Scopes: []string{"x"}},
		{URL: server, Account: "x", Scopes: []string{"x"}}, {URL: server, Account: "x", ClientID: "1:x"}, {URL: server, Account: "x", OriginOf: true},
	} {
		if got, err := s.Lookup(q); !errors.Is(err, ErrMiss) {
			t.Errorf("%+v: got %+v, error %v", q, got, err)
		}
	}
}

func TestNothingIsKeptForAnOrigin(t *testing.T) {
	s, _ := newStore(t)
	point(t, s, credential.Query{URL: server, OriginOf: true}, pointer)
	if _, err := os.Lstat(s.dir.File(pointerFolder)); !os.IsNotExist(err) {
		t.Fatalf("something was written: %v", err)
	}
}

func TestAPointerOfAnotherURLMisses(t *testing.T) {
	s, _ := newStore(t)
	theirs := credential.Query{URL: "https://evil.example/mcp"}
	point(t, s, theirs, Pointer{SignIn: signInA, TokenID: token1})
	mine := credential.Query{URL: server}
	if err := os.Rename(pointerPath(s.dir, theirs), pointerPath(s.dir, mine)); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Lookup(mine); !errors.Is(err, ErrMiss) {
		t.Fatalf("got %+v, error %v", got, err)
	}
}

func fields(f ...string) string { return string(packFields(f...)) }

func TestDamagedPointers(t *testing.T) {
	s, _ := newStore(t)
	q := credential.Query{URL: server}
	for _, text := range []string{
		"", "{", "null", strings.Repeat(" ", maxPointer+1), fields(server), fields("", signInA, token1, "0", "0", ""),
		fields(server, "../../../../etc/pa", token1, "0", "0", ""), fields(server, signInA, strings.ToUpper(signInA), "0", "0", ""),
		fields(server, signInA, token1, "x", "0", ""), fields(server, signInA, token1, "0", "1e3", ""),
		fields(server, signInA, token1, "0", "0", "") + "\xff",
	} {
		point(t, s, q, pointer)
		if err := os.WriteFile(pointerPath(s.dir, q), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Lookup(q); !errors.Is(err, ErrDamaged) || got != (Pointer{}) {
			t.Errorf("%.40q: got %+v, error %v", text, got, err)
		}
	}
	point(t, s, q, pointer)
	if got, err := s.Lookup(q); err != nil || got != pointer {
		t.Errorf("a damaged pointer cannot be replaced: %v", err)
	}
}

func TestPointRefusesBadIDs(t *testing.T) {
	s, _ := newStore(t)
	for _, id := range []string{"", "..", "../../../../../../etc", strings.ToUpper(signInA), signInA + "a", "zzzzzzzzzzzzzzzzzzzz"} {
		for _, p := range []Pointer{{SignIn: id, TokenID: token1}, {SignIn: signInA, TokenID: id}} {
			if err := s.Point(credential.Query{URL: server}, p); credential.KindOf(err) != credential.Internal || err == nil {
				t.Errorf("%+v: %v", p, err)
			}
		}
	}
}

func TestUnpoint(t *testing.T) {
	s, _ := newStore(t)
	if err := s.Unpoint(func(Pointer) bool { return true }); err != nil {
		t.Fatalf("without pointers: %v", err)
	}
	a, b, c := credential.Query{URL: server}, credential.Query{URL: server + "/b"}, credential.Query{URL: server + "/c"}
	point(t, s, a, pointer)
	point(t, s, b, Pointer{SignIn: signInB, TokenID: token1})
	point(t, s, c, pointer)
	if err := os.WriteFile(pointerPath(s.dir, c), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	temp := filepath.Join(filepath.Dir(pointerPath(s.dir, a)), ".x.1.tmp")
	if err := os.WriteFile(temp, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Unpoint(func(p Pointer) bool { return p.SignIn == signInB }); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Lookup(a); err != nil {
		t.Errorf("one too many went: %v", err)
	}
	for _, q := range []credential.Query{b, c} {
		if _, err := s.Lookup(q); !errors.Is(err, ErrMiss) {
			t.Errorf("%s stayed: %v", q.URL, err)
		}
	}
	if _, err := os.Lstat(temp); err != nil {
		t.Errorf("a pointer that is being written went: %v", err)
	}
}

func TestAThousandPointers(t *testing.T) {
	s, _ := newStore(t)
	for n := range 1000 {
		q := credential.Query{URL: server + "/" + strconv.Itoa(n)}
		data, err := encodePointer(Pointer{URL: q.URL, SignIn: signInA, TokenID: token1, Name: strconv.Itoa(n)})
		if err != nil {
			t.Fatal(err)
		}
		plant(t, pointerPath(s.dir, q), data)
	}
	for n := range 1000 {
		p, err := s.Lookup(credential.Query{URL: server + "/" + strconv.Itoa(n)})
		if err != nil || p.Name != strconv.Itoa(n) {
			t.Fatalf("%d: got %+v, error %v", n, p, err)
		}
	}
}

// plant writes a file without waiting for the disk.
func plant(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func FuzzPointer(f *testing.F) {
	data, err := encodePointer(pointer)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(data), "", "null", fields("x", "..", "", "0", "0", "")} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := decodePointer(data)
		if err != nil {
			return
		}
		again, err := encodePointer(p)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := decodePointer(again); err != nil || got != p {
			t.Fatalf("got %+v, error %v; want %+v", got, err, p)
		}
	})
}
