package cache

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

var sampleName = name{home: "0123456789abcdef", signIn: signInA, token: token1}

// same compares tokens field by field, secrets and times by what they mean.
func same(a, b credential.Token) bool {
	times := a.Obtained.Equal(b.Obtained) && a.Expiry.Equal(b.Expiry) && a.RefreshAt.Equal(b.RefreshAt)
	access := a.Access.Equal(b.Access) && a.Key.Equal(b.Key)
	for _, t := range []*credential.Token{&a, &b} {
		t.Access, t.Key, t.Obtained, t.Expiry, t.RefreshAt = credential.Secret{}, credential.Secret{}, time.Time{}, time.Time{}, time.Time{}
	}
	return times && access && reflect.DeepEqual(a, b)
}

// Every field of a token comes back, also one that is added to the type later.
func TestSealKeepsEveryField(t *testing.T) {
	token := sample("access", time.Now(), time.Hour)
	for i, v := 0, reflect.ValueOf(token); i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Fatalf("the sample has no %s", v.Type().Field(i).Name)
		}
	}
	bearer := token
	bearer.Type, bearer.Key = "Bearer", credential.Secret{}
	for _, token := range []credential.Token{token, bearer, {Access: credential.NewSecret("a")}, {Access: token.Access, Type: token.Type, Key: token.Key}} {
		file, err := seal(dataKey(1), sampleName, token)
		if err != nil {
			t.Fatal(err)
		}
		got, err := open(dataKey(1), sampleName, file)
		if err != nil || !same(got, token) {
			t.Fatalf("got %+v, error %v; want %+v", got, err, token)
		}
	}
}

func TestSealHidesAndVaries(t *testing.T) {
	token := sample("the-access-token", time.Now(), time.Hour)
	one, err1 := seal(dataKey(1), sampleName, token)
	two, err2 := seal(dataKey(1), sampleName, token)
	if err1 != nil || err2 != nil || bytes.Equal(one, two) {
		t.Fatalf("the nonce repeats, or errors %v, %v", err1, err2)
	}
	for _, word := range []string{"the-access-token", "example", "DPoP", "proof-key", "access"} {
		if bytes.Contains(one, []byte(word)) {
			t.Errorf("%q can be read in the file", word)
		}
	}
}

func TestSealRefuses(t *testing.T) {
	token := sample("access", time.Now(), time.Hour)
	for what, key := range map[string]credential.Secret{
		"no key": {}, "a short key": credential.NewSecret("short"), "a long key": credential.NewSecret(strings.Repeat("x", 64)),
	} {
		if _, err := seal(key, sampleName, token); err == nil {
			t.Errorf("sealed with %s", what)
		}
		if _, err := open(key, sampleName, []byte(header+"x")); err == nil {
			t.Errorf("opened with %s", what)
		}
	}
	for _, access := range []string{"", "a b", "a\r\nX: y", "tök", strings.Repeat("a", 64<<10+1)} {
		token.Access = credential.NewSecret(access)
		if _, err := seal(dataKey(1), sampleName, token); err == nil {
			t.Errorf("sealed the access token %q", access[:min(len(access), 9)])
		}
	}
	token.Access = credential.NewSecret("access")
	for _, kind := range []string{"Bearer", credential.TypeDPoP} {
		if token.Type = kind; kind == credential.TypeDPoP {
			token.Key = credential.Secret{}
		}
		if _, err := seal(dataKey(1), sampleName, token); err == nil {
			t.Errorf("sealed type %s with key %v", kind, !token.Key.IsZero())
		}
	}
}

// A file opens only with its key, in its home, under its sign-in and its name.
func TestSealBinds(t *testing.T) {
	file, err := seal(dataKey(1), sampleName, sample("access", time.Now(), time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for what, n := range map[string]name{
		"home": {"f123456789abcdef", signInA, token1}, "sign-in": {sampleName.home, signInB, token1}, "token": {sampleName.home, signInA, token2},
	} {
		if _, err := open(dataKey(1), n, file); !errors.Is(err, errSealed) {
			t.Errorf("opens with another %s: %v", what, err)
		}
	}
	if _, err := open(dataKey(2), sampleName, file); !errors.Is(err, errSealed) {
		t.Errorf("opens with another key: %v", err)
	}
}

func TestNoCorruptFileOpens(t *testing.T) {
	file, err := seal(dataKey(1), sampleName, sample("access", time.Now(), time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, at int, data []byte) {
		if got, err := open(dataKey(1), sampleName, data); err == nil || !got.Access.IsZero() {
			t.Errorf("%s at byte %d opens", what, at)
		}
	}
	for i := range file {
		for bit := range 8 {
			bad := bytes.Clone(file)
			bad[i] ^= 1 << bit
			refused("a flipped bit", i, bad)
		}
		refused("truncated", i, file[:i])
		refused("without its beginning", i, file[i+1:])
	}
	refused("longer", len(file), append(bytes.Clone(file), 0))
}

func FuzzOpen(f *testing.F) {
	for _, token := range []credential.Token{sample("access", time.Unix(1, 5), time.Hour), {Access: credential.NewSecret("a")}} {
		file, err := seal(dataKey(1), sampleName, token)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file)
	}
	f.Add([]byte(header))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		token, err := open(dataKey(1), sampleName, data)
		if err != nil {
			return
		}
		again, err := seal(dataKey(1), sampleName, token)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := open(dataKey(1), sampleName, again); err != nil || !same(got, token) {
			t.Fatalf("got %+v, error %v; want %+v", got, err, token)
		}
	})
}

func FuzzTokenRecord(f *testing.F) {
	plain, err := encodeToken(sample("access", time.Unix(1, 5), time.Hour))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(plain), fields("a", "", "", "", "", "", "", "", ""), fields("a b", "", "", "", "", "", "", "", ""), "", "null", "\xff\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		token, err := decodeToken(data)
		if err != nil {
			return
		}
		again, err := encodeToken(token)
		if err != nil {
			t.Fatalf("%v from %q", err, data)
		}
		got, err := decodeToken(again)
		if len(token.Scopes) == 0 {
			token.Scopes = nil // an empty list is as good as none
		}
		if err != nil || !same(got, token) {
			t.Fatalf("got %+v, error %v; want %+v", got, err, token)
		}
	})
}
