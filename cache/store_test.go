package cache

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/atomicfile"
)

func TestKeepThenToken(t *testing.T) {
	s, c := newStore(t)
	want := sample("one", c.Now(), time.Hour)
	if _, err := s.Token(signInA, token1); !errors.Is(err, ErrMiss) {
		t.Fatalf("before: %v", err)
	}
	keep(t, s, dataKey(1), signInA, token1, want)
	if got, err := s.Token(signInA, token1); err != nil || !same(got, want) {
		t.Fatalf("got %+v, error %v; want %+v", got, err, want)
	}
	want = sample("two", c.Now(), time.Hour)
	keep(t, s, dataKey(1), signInA, token1, want)
	if got, err := s.Token(signInA, token1); err != nil || !same(got, want) {
		t.Fatalf("got %+v, error %v; want %+v", got, err, want)
	}
	if _, err := s.Token(signInA, token2); !errors.Is(err, ErrMiss) {
		t.Errorf("another token: %v", err)
	}
}

func TestWithoutAHotKey(t *testing.T) {
	s, c := newStore(t)
	keep(t, s, dataKey(1), signInA, token1, sample("one", c.Now(), time.Hour))
	c.Advance(time.Hour + 2*time.Second)
	if _, err := s.Token(signInA, token1); !errors.Is(err, ErrNoKey) {
		t.Fatalf("%v", err)
	}
	if got, err := s.TokenWith(dataKey(1), signInA, token1); err != nil || got.Access.Reveal() != "one" {
		t.Fatalf("with the key of the keychain: %v", err)
	}
	if err := s.Heat(signInA, dataKey(1), c.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Token(signInA, token1); err != nil {
		t.Fatalf("heated: %v", err)
	}
}

// The key of a sign-in is hot until the longest expiry of its tokens, in whatever order they come.
func TestKeyStaysHotForTheLongestToken(t *testing.T) {
	for _, lives := range [][]time.Duration{{time.Hour, time.Minute}, {time.Minute, time.Hour}} {
		s, c := newStore(t)
		for i, id := range []string{token1, token2} {
			keep(t, s, dataKey(1), signInA, id, sample("t", c.Now(), lives[i]))
		}
		c.Advance(59 * time.Minute)
		if _, err := s.Token(signInA, token1); err != nil {
			t.Errorf("%v: %v", lives, err)
		}
		c.Advance(2 * time.Minute)
		if _, err := s.Token(signInA, token1); !errors.Is(err, ErrNoKey) {
			t.Errorf("%v: hot for ever: %v", lives, err)
		}
	}
}

func TestKeyStaysHotForAWhileWithoutAnExpiry(t *testing.T) {
	s, c := newStore(t)
	token := sample("t", c.Now(), time.Hour)
	token.Expiry = time.Time{}
	keep(t, s, dataKey(1), signInA, token1, token)
	c.Advance(hotUnknown - time.Minute)
	if _, err := s.Token(signInA, token1); err != nil {
		t.Error(err)
	}
	c.Advance(2 * time.Minute)
	if _, err := s.Token(signInA, token1); !errors.Is(err, ErrNoKey) {
		t.Error(err)
	}
}

// A new sign-in under the same ID brings a new key: the new token opens, the old one says why it does not.
func TestAnotherKey(t *testing.T) {
	s, c := newStore(t)
	keep(t, s, dataKey(1), signInA, token1, sample("old", c.Now(), time.Hour))
	keep(t, s, dataKey(2), signInA, token2, sample("new", c.Now(), time.Minute))
	if got, err := s.Token(signInA, token2); err != nil || got.Access.Reveal() != "new" {
		t.Errorf("the new token: %v", err)
	}
	if _, err := s.Token(signInA, token1); !errors.Is(err, ErrDamaged) {
		t.Errorf("the old token: %v", err)
	}
}

func TestUnusableTokenFiles(t *testing.T) {
	for what, spoil := range map[string]func(t *testing.T, path string) error{
		"corrupt": func(t *testing.T, path string) error {
			data, err := os.ReadFile(path)
			data[len(data)-1] ^= 1
			return errors.Join(err, os.WriteFile(path, data, 0o600))
		},
		"truncated":     func(_ *testing.T, path string) error { return os.Truncate(path, 20) },
		"empty":         func(_ *testing.T, path string) error { return os.Truncate(path, 0) },
		"10 MB":         func(_ *testing.T, path string) error { return os.Truncate(path, 10<<20) },
		"a folder":      func(_ *testing.T, path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
		"plain text":    func(_ *testing.T, path string) error { return os.WriteFile(path, []byte(`{"access":"evil"}`), 0o600) },
		"newer version": func(_ *testing.T, path string) error { return os.WriteFile(path, []byte("mcpcred\x02..."), 0o600) },
	} {
		t.Run(what, func(t *testing.T) { unusable(t, func(path string) error { return spoil(t, path) }, nil) })
	}
}

// unusable keeps a token, spoils its file, and expects an error that says so, once the cause, and a cure by Keep.
func unusable(t *testing.T, spoil func(path string) error, cause error) {
	t.Helper()
	s, c := newStore(t)
	token := sample("the-access-token", c.Now(), time.Hour)
	keep(t, s, dataKey(1), signInA, token1, token)
	path := s.dir.File(tokenFolder, signInA, token1)
	if err := spoil(path); err != nil {
		t.Fatal(err)
	}
	_, hot := s.Token(signInA, token1)
	_, cold := s.TokenWith(dataKey(1), signInA, token1)
	for _, err := range []error{hot, cold} {
		damaged := (*DamagedError)(nil)
		if !errors.Is(err, ErrDamaged) || !errors.As(err, &damaged) || damaged.Path != path || cause != nil && !errors.Is(err, cause) {
			t.Fatalf("%v, want a DamagedError for %v", err, cause)
		}
		if strings.Count(err.Error(), path) != 1 || strings.Contains(err.Error(), "the-access-token") {
			t.Errorf("the sentence: %v", err)
		}
	}
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		return
	}
	if err := s.Keep(dataKey(1), signInA, token1, token); err != nil {
		t.Fatalf("it cannot be replaced: %v", err)
	}
	if _, err := s.Token(signInA, token1); err != nil {
		t.Fatalf("after its replacement: %v", err)
	}
}

func TestTokensDoNotOpenElsewhere(t *testing.T) {
	s, c := newStore(t)
	keep(t, s, dataKey(1), signInA, token1, sample("one", c.Now(), time.Hour))
	file, err := os.ReadFile(s.dir.File(tokenFolder, signInA, token1))
	if err != nil {
		t.Fatal(err)
	}
	other := Open(newDir(t), MemoryKeys())
	for what, c := range map[string]struct {
		store       *Store
		signIn, tok string
	}{
		"another name": {s, signInA, token2}, "another sign-in": {s, signInB, token1}, "another home": {other, signInA, token1},
	} {
		plant(t, c.store.dir.File(tokenFolder, c.signIn, c.tok), file)
		if _, err := c.store.TokenWith(dataKey(1), c.signIn, c.tok); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestDrop(t *testing.T) {
	s, c := newStore(t)
	keep(t, s, dataKey(1), signInA, token1, sample("one", c.Now(), time.Hour))
	for range 2 {
		if err := s.Drop(signInA, token1); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Token(signInA, token1); !errors.Is(err, ErrMiss) {
		t.Fatal(err)
	}
}

func TestForget(t *testing.T) {
	s, c := newStore(t)
	if err := s.Forget(signInA); err != nil {
		t.Fatalf("nothing to forget: %v", err)
	}
	qa, qb := credential.Query{URL: server}, credential.Query{URL: server + "/b"}
	for _, id := range []string{token1, token2} {
		keep(t, s, dataKey(1), signInA, id, sample("one", c.Now(), time.Hour))
	}
	keep(t, s, dataKey(2), signInB, token1, sample("two", c.Now(), time.Hour))
	point(t, s, qa, pointer)
	point(t, s, qb, Pointer{SignIn: signInB, TokenID: token1})
	if err := s.Forget(signInA); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{token1, token2} {
		if _, err := s.TokenWith(dataKey(1), signInA, id); !errors.Is(err, ErrMiss) {
			t.Error(err)
		}
	}
	if _, err := s.keys.Get(signInA); !errors.Is(err, ErrMiss) {
		t.Errorf("the key is still hot: %v", err)
	}
	if _, err := s.Lookup(qa); !errors.Is(err, ErrMiss) {
		t.Error(err)
	}
	_, pointed := s.Lookup(qb)
	_, kept := s.Token(signInB, token1)
	if pointed != nil || kept != nil {
		t.Errorf("the other sign-in: %v, %v", pointed, kept)
	}
}

func TestBadIDsReachNoFile(t *testing.T) {
	s, c := newStore(t)
	for _, id := range []string{"", ".", "..", "../" + signInA[3:], signInA[1:], signInA + "a", strings.ToUpper(signInA), "aaaaaaaaaa/aaaaaaaaa", "aaaaaaaaaaaaaaaaaaa\x00"} {
		_, token := s.Token(id, token1)
		_, with := s.TokenWith(dataKey(1), signInA, id)
		for what, err := range map[string]error{
			"Token": token, "TokenWith": with, "Drop": s.Drop(id, token1), "Forget": s.Forget(id),
			"Keep": s.Keep(dataKey(1), signInA, id, sample("x", c.Now(), time.Hour)), "Heat": s.Heat(id, dataKey(1), c.Now().Add(time.Hour)),
		} {
			if err == nil || credential.KindOf(err) != credential.Internal || errors.Is(err, ErrMiss) {
				t.Errorf("%s %q: %v", what, id, err)
			}
		}
	}
	entries, err := os.ReadDir(s.dir.Path)
	if err != nil || len(entries) != 0 {
		t.Errorf("%v was written, error %v", entries, err)
	}
}

func TestKeepRefusesWhatCouldNotBeRead(t *testing.T) {
	s, c := newStore(t)
	token := sample("x", c.Now(), time.Hour)
	token.Account = strings.Repeat("a", maxToken)
	if err := s.Keep(dataKey(1), signInA, token1, token); err == nil {
		t.Error("too big")
	}
	if err := s.Keep(credential.NewSecret("short"), signInA, token1, sample("x", c.Now(), time.Hour)); err == nil {
		t.Error("a short key")
	}
	if _, err := s.Token(signInA, token1); !errors.Is(err, ErrMiss) {
		t.Errorf("something was written: %v", err)
	}
}

// A key of the wrong length is nobody's damage to a file.
func TestKeysOfTheWrongLength(t *testing.T) {
	s, c := newStore(t)
	keep(t, s, dataKey(1), signInA, token1, sample("one", c.Now(), time.Hour))
	short := credential.NewSecret("short")
	_, err := s.TokenWith(short, signInA, token1)
	for what, err := range map[string]error{"TokenWith": err, "Heat": s.Heat(signInA, short, c.Now().Add(time.Hour))} {
		if err == nil || errors.Is(err, ErrDamaged) || credential.KindOf(err) != credential.Internal {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := s.keys.Put(signInA, []byte("short"), time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Token(signInA, token1); !errors.Is(err, ErrNoKey) {
		t.Errorf("Token: %v", err)
	}
}

// Without a place for hot keys a token is kept all the same, and the caller is told.
func TestKeepWithoutATier(t *testing.T) {
	s := Open(newDir(t), refusing{})
	token := sample("one", time.Now(), time.Hour)
	if err := s.Keep(dataKey(1), signInA, token1, token); !errors.Is(err, ErrNoTier) {
		t.Fatal(err)
	}
	if _, err := s.Token(signInA, token1); !errors.Is(err, ErrNoKey) {
		t.Error(err)
	}
	if got, err := s.TokenWith(dataKey(1), signInA, token1); err != nil || !same(got, token) {
		t.Error(err)
	}
	if err := s.Forget(signInA); err != nil {
		t.Error(err)
	}
}

// refusing is a system without a place for hot keys.
type refusing struct{}

func (refusing) Get(string) ([]byte, error)              { return nil, ErrMiss }
func (refusing) Put(string, []byte, time.Duration) error { return ErrNoTier }
func (refusing) Drop(string) error                       { return nil }
func (refusing) Tier() string                            { return noTier }

// A failed write leaves the token that was there.
func TestKeepOntoAFailingDisk(t *testing.T) {
	s, c := newStore(t)
	keep(t, s, dataKey(1), signInA, token1, sample("old", c.Now(), time.Hour))
	path := s.dir.File(tokenFolder, signInA, token1)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	plant(t, s.dir.File(tokenFolder, signInB), []byte("a file where a folder should be"))
	plant(t, s.dir.File(spareFolder), []byte("another one"))
	if err := s.Keep(dataKey(1), signInB, token1, sample("new", c.Now(), time.Hour)); credential.KindOf(err) != credential.Internal || err == nil {
		t.Errorf("%v", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the other token changed, error %v", err)
	}
}

func TestCausesOfDamage(t *testing.T) {
	unusable(t, func(path string) error { return os.Truncate(path, maxToken+1) }, atomicfile.ErrTooBig)
	unusable(t, func(path string) error { return os.Truncate(path, 9) }, errSealed)
	unusable(t, func(path string) error { return os.Truncate(path, 3) }, errFormat)
}
