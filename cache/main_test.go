package cache

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/home"
)

// roleVariable names what a re-executed test binary does; its arguments are the role's own.
const (
	roleVariable = "CACHE_TEST_ROLE"
	patience     = 10 * time.Second
)

func TestMain(m *testing.M) {
	role := os.Getenv(roleVariable)
	if role == "" {
		os.Exit(m.Run())
	}
	play, ok := lockRoles[role]
	if !ok {
		play = keyRoles[role]
	}
	if err := play(os.Args[1:]); err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
}

// played returns the command that plays a role in another process.
func played(t *testing.T, role string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), roleVariable+"="+role, "GORACE=atexit_sleep_ms=0") // else each exit takes a second under -race
	return cmd
}

// output runs a role to its end and returns what it prints.
func output(t *testing.T, role string, args ...string) string {
	t.Helper()
	cmd := played(t, role, args...)
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

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
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
func newStore(t testing.TB) (*Store, *clock) {
	t.Helper()
	c := newClock()
	s := Open(newDir(t), newMemoryKeys(c.Now))
	s.now = c.Now
	return s, c
}

func sample(access string, obtained time.Time, life time.Duration) credential.Token {
	return credential.Token{
		Access: credential.NewSecret(access), Type: "Bearer",
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
