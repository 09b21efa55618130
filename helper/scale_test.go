package helper

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"
)

// The numbers of a large home.
const (
	manySignIns = 1_000
	manyServers = 10_000
)

// crowd fills a home beside its one sign-in: records, pointers, marks, locks and token folders as so many would leave them. What may
// look alike is linked.
func crowd(t *testing.T, r *rig) {
	t.Helper()
	put := func(data []byte, path ...string) string {
		if err := os.WriteFile(r.Dir.File(path...), data, 0o600); err != nil {
			t.Fatal(err)
		}
		return r.Dir.File(path...)
	}
	copies := func(n int, data []byte, folder, form string) {
		first := put(data, folder, fmt.Sprintf(form, n))
		for i := range n {
			if os.Link(first, r.Dir.File(folder, fmt.Sprintf(form, i))) != nil { // a file has so many names and no more
				first = put(data, folder, fmt.Sprintf(form, i))
			}
		}
	}
	s := r.resolved()
	signIn, err1 := json.Marshal(s.signIn)
	server, err2 := json.Marshal(s.server)
	pointers, err3 := filepath.Glob(r.Dir.File("pointers", "*"))
	if err := errors.Join(err1, err2, err3); err != nil || len(pointers) == 0 {
		t.Fatalf("%v, %d pointers", err, len(pointers))
	}
	pointer, err := os.ReadFile(pointers[0])
	if err != nil {
		t.Fatal(err)
	}
	copies(manySignIns, signIn, "signins", "%020x.json")
	copies(manySignIns, nil, "locks", "%020x.lock")
	copies(manyServers, server, "servers", "%020x.json")
	copies(manyServers, pointer, "pointers", "%032x")
	copies(manyServers, nil, "marks", "served-%016x")
	for i := range manySignIns {
		if err := os.MkdirAll(r.Dir.File("tokens", fmt.Sprintf("%020x", i)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

// A warm get, a cold one with a refresh, and the status of a server take as long in a home with 1,000 sign-ins and 10,000 servers
// as in one with a single server.
func TestManySignInsAndServers(t *testing.T) {
	small, large := newRig(t), newRig(t)
	for _, r := range []*rig{small, large} {
		r.login(Login{})
		got, err := r.get()
		wantAccess(t, got, err, "access-1")
	}
	crowd(t, large)
	for _, c := range []struct {
		what  string
		least time.Duration // a difference that is none, on a busy machine
		do    func(r *rig) error
	}{
		{"warm get", time.Millisecond, func(r *rig) error { _, err := r.Warm().Get(r.query()); return err }},
		{"status of a server", time.Millisecond, func(r *rig) error { _, err := r.Status(r.t.Context(), testServer); return err }},
		{"refresh", 4 * time.Millisecond, func(r *rig) error {
			r.now = r.now.Add(2 * time.Hour)
			if err := r.refresh(); err != nil {
				return err
			}
			_, err := r.get() // makes the pointer anew
			return err
		}},
	} {
		var one, many time.Duration
		flat := false
		for n := 0; n < 3 && !flat; n++ { // whatever else the machine does only ever adds
			one, many = inTurns(t, small, large, c.do)
			flat = many < 2*one || many-one < c.least
		}
		t.Logf("%s: %v with one server, %v with many", c.what, one, many)
		if !flat {
			t.Errorf("%s takes %v with one server and %v with many", c.what, one, many)
		}
	}
	prunes(t, large)
}

// inTurns returns the medians of what do takes in each home.
func inTurns(t *testing.T, a, b *rig, do func(r *rig) error) (one, many time.Duration) {
	t.Helper()
	const runs = 15
	took := map[*rig][]time.Duration{}
	for range runs {
		for _, r := range []*rig{a, b} {
			began := time.Now()
			if err := do(r); err != nil {
				t.Fatal(err)
			}
			took[r] = append(took[r], time.Since(began))
		}
	}
	for _, all := range took {
		slices.Sort(all)
	}
	return took[a][runs/2], took[b][runs/2]
}

// prunes wants a large home small again where nothing is lost by that.
func prunes(t *testing.T, r *rig) {
	t.Helper()
	age(t, r, 100*24*time.Hour)
	began := time.Now()
	Pruner{r.Helper}.Prune(t.Context())
	t.Logf("pruned in %v", time.Since(began))
	for folder, most := range map[string]int{"marks": 1, "locks": 1, "pointers": 0, "signins": manySignIns + 2, "servers": manyServers + 2, "tokens": manySignIns + 1} {
		if n := names(t, r, folder); n > most && runtime.GOOS != "windows" {
			t.Errorf("%d files in %s", n, folder)
		}
	}
	if _, err := r.get(); err != nil {
		t.Errorf("after that: %v", err)
	}
}
