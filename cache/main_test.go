package cache

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/home"
	"github.com/mcp-credential/mcp-credential/internal/testsupport"
)

const patience = 10 * time.Second

func TestMain(m *testing.M) {
	roles := maps.Clone(lockRoles)
	maps.Copy(roles, keyRoles)
	os.Exit(testsupport.Run(m, os.Stderr, roles))
}

// output runs a role to its end and returns what it prints.
func output(t *testing.T, role string, args ...string) string {
	t.Helper()
	cmd := testsupport.Role(t, role, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", role, err, stderr.String())
	}
	return string(out)
}

// until polls and reports whether cond became true before patience ran out.
func until(cond func() bool) bool {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if cond() {
			return true
		}
	}
	return false
}

const (
	signInA = "aaaaaaaaaaaaaaaaaaaa"
	signInB = "bbbbbbbbbbbbbbbbbbbb"
	token1  = "11111111111111111111"
	token2  = "22222222222222222222"
)

func dataKey(b byte) credential.Secret {
	return credential.NewSecret(string(bytes.Repeat([]byte{b}, keySize)))
}

func newDir(t testing.TB) home.Dir {
	t.Helper()
	dir, err := home.Find(filepath.Join(t.TempDir(), "home"), os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	if err := dir.Create(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// newStore returns a store with keys in memory and a clock that moves both.
func newStore(t testing.TB) (*Store, *testsupport.Clock) {
	t.Helper()
	c := testsupport.NewClock()
	s := Open(newDir(t), newMemoryKeys(c.Now))
	s.now = c.Now
	return s, c
}

func sample(access string, obtained time.Time, life time.Duration) credential.Token {
	return credential.Token{
		Access: credential.NewSecret(access), Type: credential.TypeDPoP, Key: credential.NewSecret("proof-key"),
		Obtained: obtained, Expiry: obtained.Add(life), RefreshAt: obtained.Add(life * 4 / 5),
		Scopes: []string{"api://app/user_impersonation", "b"}, Account: "Ann <ann@example.org>",
		Issuer: "https://issuer.example", Resource: "https://h.example/mcp", Server: "https://h.example/mcp",
	}
}

func keep(t testing.TB, s *Store, key credential.Secret, signIn, tokenID string, token credential.Token) {
	t.Helper()
	if err := s.Keep(key, signIn, tokenID, token); err != nil {
		t.Fatal(err)
	}
}
