package cache

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/testsupport"
)

// Locks are pruned while processes use them, and exclude as before.
func TestPrunedLocksExclude(t *testing.T) {
	path, number := lockPath(t), filepath.Join(t.TempDir(), "number")
	if err := os.WriteFile(number, []byte("0"), 0o600); err != nil {
		t.Fatal(err)
	}
	const processes, times = 3, 60
	ended := make(chan error, processes)
	for range processes {
		cmd := testsupport.Role(t, "count", path, number, strconv.Itoa(times))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go func() { ended <- cmd.Wait() }()
	}
	for left := processes; left > 0; {
		select {
		case err := <-ended:
			left--
			if err != nil {
				t.Error(err)
			}
		default:
			if err := PruneLocks(filepath.Dir(path), time.Now().Add(time.Hour)); err != nil {
				t.Error(err)
			}
		}
	}
	if got, err := os.ReadFile(number); err != nil || string(got) != strconv.Itoa(processes*times) {
		t.Errorf("counted to %s, %v", got, err)
	}
}

func TestPruneLocks(t *testing.T) {
	dir := t.TempDir()
	held, err := Lock(within(t, patience), filepath.Join(dir, "held.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	for _, name := range []string{"old.lock", "other"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := PruneLocks(dir, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	wantNames(t, dir, "held.lock", "old.lock", "other")
	if err := PruneLocks(dir, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" {
		wantNames(t, dir, "held.lock", "other")
	}
}

func wantNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(want) {
		t.Fatalf("%v %v, want %q", entries, err, want)
	}
	for i, e := range entries {
		if e.Name() != want[i] {
			t.Errorf("%s, want %s", e.Name(), want[i])
		}
	}
}

// Pointers of long ago and pointers to nowhere go, the others stay.
func TestPrunePointers(t *testing.T) {
	s := Open(newDir(t), MemoryKeys())
	point := func(url, signIn string) credential.Query {
		q := credential.Query{URL: url}
		if err := s.Point(q, Pointer{SignIn: signIn, TokenID: token1}); err != nil {
			t.Fatal(err)
		}
		return q
	}
	kept, gone, old := point("https://a/mcp", signInA), point("https://b/mcp", signInB), point("https://c/mcp", signInA)
	longAgo := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(pointerPath(s.dir, old), longAgo, longAgo); err != nil {
		t.Fatal(err)
	}
	if err := (Pruning{s}).Pointers(time.Now().Add(-24*time.Hour), func(id string) bool { return id == signInB }); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Lookup(kept); err != nil {
		t.Errorf("a pointer in use is gone: %v", err)
	}
	for _, q := range []credential.Query{gone, old} {
		if _, err := s.Lookup(q); err == nil {
			t.Errorf("%s is still there", q.URL)
		}
	}
}
