package helper

import (
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/credential"
)

// coldKeys is a system without a place for hot keys.
type coldKeys struct{ cache.Keys }

func (coldKeys) Get(string) ([]byte, error)              { return nil, cache.ErrMiss }
func (coldKeys) Put(string, []byte, time.Duration) error { return cache.ErrNoTier }
func (coldKeys) Drop(string) error                       { return nil }
func (coldKeys) Tier() string                            { return "none" }

func (r *machineRig) cold() { r.Cache = cache.Open(r.Dir, coldKeys{}) }

// another is the Helper of another process.
func (r *machineRig) another() *Helper {
	h := r.Helper
	return &Helper{
		Dir: h.Dir, Cache: h.Cache, Records: h.Records, Settings: h.Settings, Config: h.Config, Machine: h.Machine, KeychainKeys: h.KeychainKeys,
		Keychain: h.Keychain, Launch: h.Launch, Reachable: h.Reachable, Now: h.Now, Trace: h.Trace, Warn: h.Warn,
	}
}

// A bridge lives long: what no tier keeps it asks for once all the same.
func TestOneProcessAsksOnce(t *testing.T) {
	r := newMachineRig(t)
	r.cold()
	r.service.secret = ""
	for range 10 {
		got, err := r.get()
		wantAccess(t, got, err, "machine-1")
	}
	r.now = r.now.Add(time.Hour)
	got, err := r.get()
	wantAccess(t, got, err, "machine-2")
	if len(r.launched) != 0 {
		t.Errorf("launched %v", r.launched)
	}
}

// A token of an hour costs one request for a hundred gets in each tier that keeps tokens, and status names the tier.
func TestMachineTiers(t *testing.T) {
	tiers := []struct {
		name     string
		change   func(r *machineRig)
		requests int
		place    string
		tier     string
	}{
		{"hot key", func(*machineRig) {}, 1, placeHot, "memory"},
		{"keychain", func(r *machineRig) { r.cold(); r.KeychainKeys = true }, 1, placeKeychain, "memory"},
		{"derived", func(r *machineRig) { r.cold() }, 1, placeDerived, tierDerived},
		{"keychain that refuses", func(r *machineRig) { r.cold(); r.KeychainKeys, r.setFails = true, errLocked }, 1, placeDerived, tierDerived},
		{"none", func(r *machineRig) { r.cold(); r.service.secret = "short" }, 100, placeNone, tierNone},
	}
	for _, c := range tiers {
		t.Run(c.name, func(t *testing.T) {
			r := newMachineRig(t)
			c.change(r)
			for range 100 {
				r.Helper = r.another()
				got, err := r.get()
				wantAccess(t, got, err, "machine-"+strconv.Itoa(r.service.requests))
			}
			if r.service.requests != c.requests {
				t.Errorf("%d requests, want %d", r.service.requests, c.requests)
			}
			if rec := r.record(); rec.Place != c.place || rec.Tier != c.tier {
				t.Errorf("kept in %q, called %q", rec.Place, rec.Tier)
			}
			lines, err := r.Status(t.Context(), "")
			if err != nil || len(lines) != 1 || lines[0].Keychain != c.tier || lines[0].Identity != "secret" {
				t.Errorf("status %+v, %v", lines, err)
			}
			if len(r.warned) > 0 {
				t.Errorf("warned: %v", r.warned)
			}
		})
	}
}

func TestMachineChallengeAndErase(t *testing.T) {
	for _, cold := range []bool{false, true} {
		r := newMachineRig(t)
		if cold {
			r.cold()
		}
		first, err := r.get()
		wantAccess(t, first, err, "machine-1")
		got, err := r.Get(t.Context(), Ask{Query: r.query(), Wait: time.Second, Force: true, Claims: `{"a":1}`, Scopes: []string{"graph"}})
		wantAccess(t, got, err, "machine-2")
		if !slices.Equal(r.service.claims, []string{"", `{"a":1}`}) || !slices.Equal(got.Scopes, r.service.who.Scopes) {
			t.Errorf("claims %q, scopes %q", r.service.claims, got.Scopes)
		}
		if err := r.Erase(t.Context(), r.query(), first.Access); err != nil {
			t.Fatal(err)
		}
		got, err = r.get()
		wantAccess(t, got, err, "machine-2") // not the refused one
		if err := r.Erase(t.Context(), r.query(), got.Access); err != nil {
			t.Fatal(err)
		}
		got, err = r.get()
		wantAccess(t, got, err, "machine-3")
		if err := r.Erase(t.Context(), r.query(), credential.Secret{}); err != nil {
			t.Fatal(err)
		}
		got, err = r.get()
		wantAccess(t, got, err, "machine-4")
	}
}

func TestMachineLogout(t *testing.T) {
	r := newMachineRig(t)
	r.cold()
	r.KeychainKeys = true
	_, _ = r.get()
	gone, err := r.Logout(t.Context(), testServer, "")
	if err != nil || !slices.Equal(gone, []string{testServer}) || len(r.items) != 0 {
		t.Errorf("%v, %v, %d items", gone, err, len(r.items))
	}
	if all, _ := r.Records.Machines(); len(all) != 0 {
		t.Errorf("%d records", len(all))
	}
	_, err = r.Logout(t.Context(), testServer, "")
	wantKind(t, err, credential.NotFound)
}

// A home that cannot be written to costs a warning and a request, not the token.
func TestMachineWithoutAHome(t *testing.T) {
	r := newMachineRig(t)
	err := r.Dir.Create()
	if err == nil {
		err = os.WriteFile(r.Dir.File("locks"), nil, 0o600) // nothing can be written there, by root neither
	}
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		r.Helper = r.another()
		got, err := r.get()
		wantAccess(t, got, err, "machine-"+strconv.Itoa(i+1))
		if len(r.warned) != i+1 || got.Server != testServer {
			t.Errorf("warned %q", r.warned)
		}
	}
}
