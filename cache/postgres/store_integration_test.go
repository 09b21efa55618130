//go:build fleet && linux

package postgres

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/testsupport"
)

// fleet is a database of its own with the keys of a fleet.
type fleet struct {
	t    *testing.T
	db   *testsupport.Postgres
	name string
	url  string // path of the file
	key  string
}

func newFleet(t *testing.T, db *testsupport.Postgres) *fleet {
	t.Helper()
	name := strings.ToLower(strings.NewReplacer("/", "_", " ", "_", "-", "_", "'", "").Replace(t.Name()))
	db.SQL("postgres", "create database "+name)
	dir := t.TempDir()
	f := &fleet{t: t, db: db, name: name, url: filepath.Join(dir, "url"), key: filepath.Join(dir, "key")}
	f.write(f.url, db.URL("postgres", name, ""))
	if err := NewKey(f.key, false); err != nil {
		t.Fatal(err)
	}
	if err := f.machine().Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fleet) write(path, text string) {
	f.t.Helper()
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// machine is another machine of the fleet.
func (f *fleet) machine() *Store {
	return Open(Options{Dir: f.t.TempDir(), URLFile: f.url, KeyFile: f.key, Trace: func(s string) { f.t.Log(s) }})
}

// as is a machine with another role or other parameters in its URL.
func (f *fleet) as(user, query string) *Store {
	path := filepath.Join(f.t.TempDir(), "url")
	f.write(path, f.db.URL(user, f.name, query))
	return Open(Options{Dir: f.t.TempDir(), URLFile: path, KeyFile: f.key})
}

func (f *fleet) set(id, value string) {
	f.t.Helper()
	if err := f.machine().Set(f.t.Context(), id, "label", []byte(value)); err != nil {
		f.t.Fatal(err)
	}
}

func wantGrant(t *testing.T, s *Store, id, want string) {
	t.Helper()
	if got, err := s.Get(t.Context(), id); err != nil || string(got) != want {
		t.Fatalf("Get %s: %.30q, %v; want %.30q", id, got, err, want)
	}
}

func wantAbsent(t *testing.T, s *Store, id string) {
	t.Helper()
	if v, err := s.Get(t.Context(), id); !errors.Is(err, credential.ErrNoItem) {
		t.Fatalf("Get %s: %d bytes, %v; want credential.ErrNoItem", id, len(v), err)
	}
}

func wantKind(t *testing.T, err error, kind credential.Kind) {
	t.Helper()
	if err == nil || credential.KindOf(err) != kind {
		t.Fatalf("error %v of kind %v, want kind %v", err, credential.KindOf(err), kind)
	}
}

// TestStore has one database server for all that does not kill it.
func TestStore(t *testing.T) {
	db := testsupport.StartPostgres(t)
	for name, test := range map[string]func(*testing.T, *fleet){
		"contract": testContract, "machines": testMachines, "mark": testMark, "tampering": testTampering, "rotation": testRotation, "roles": testRoles, "settings": testSettings,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newFleet(t, db))
		})
	}
}

// testContract is what every keychain promises (cache/keychain/contract_test.go), but that homes are apart: machines share items.
func testContract(t *testing.T, f *fleet) {
	k := f.machine()
	if k.Store() != Name || k.Tier() == "" {
		t.Errorf("Store %q, Tier %q", k.Store(), k.Tier())
	}
	wantAbsent(t, k, "absent")
	if err := k.Delete(t.Context(), "absent"); err != nil {
		t.Errorf("Delete of nothing: %v", err)
	}
	big := make([]byte, 9000)
	_, _ = rand.Read(big)
	for _, v := range [][]byte{[]byte("one"), []byte("two"), {0, 0xff, '\n', '\r', 0}, {}, big, []byte("last")} {
		if err := k.Set(t.Context(), "item", "label \x00\xff", v); err != nil {
			t.Fatal(err)
		}
		wantGrant(t, f.machine(), "item", string(v))
	}
	if err := k.Delete(t.Context(), "item"); err != nil {
		t.Fatal(err)
	}
	wantAbsent(t, f.machine(), "item")
	for _, id := range []string{"a", "a-0", "a_0", strings.Repeat("z", 64)} {
		f.set(id, "value of "+id)
		wantGrant(t, k, id, "value of "+id)
	}
	for _, id := range []string{"", "../x", "A", "a.0", "a b", "ä", "a\x00", strings.Repeat("z", 65)} {
		_, err := k.Get(t.Context(), id)
		wantKind(t, err, credential.Internal)
		wantKind(t, k.Set(t.Context(), id, "label", nil), credential.Internal)
		wantKind(t, k.Delete(t.Context(), id), credential.Internal)
		wantKind(t, k.Update(t.Context(), id, nil), credential.Internal)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := k.Get(ctx, "a"); err == nil {
		t.Error("Get with a cancelled context")
	}
	if err := f.machine().Update(t.Context(), "absent", nil); !errors.Is(err, credential.ErrNoItem) {
		t.Errorf("Update of nothing: %v", err)
	}
}

// testMachines has ten machines add one to the same grant ten times each: none is lost, and all are told of servers and tokens.
func testMachines(t *testing.T, f *fleet) {
	f.set("id", "")
	var all sync.WaitGroup
	for range 10 {
		m := f.machine()
		all.Go(func() {
			for range 10 {
				if err := m.Update(t.Context(), "id", func(old credential.Shared, begin func() error) credential.Shared {
					if err := begin(); err != nil {
						t.Error(err)
						return old
					}
					old.Grant = append(old.Grant, 'x')
					old.Tokens, old.Record, old.Servers = []byte("tokens"), []byte("record"), []string{"https://a.example/mcp"}
					return old
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	wantGrant(t, f.machine(), "id", strings.Repeat("x", 100))
	found, err := f.machine().Serving(t.Context(), "https://a.example/mcp")
	if err != nil || len(found) != 1 || string(found[0].Tokens) != "tokens" || string(found[0].Record) != "record" {
		t.Errorf("%v, %v", found, err)
	}
	if found, err := f.machine().Serving(t.Context(), "https://b.example/mcp"); err != nil || len(found) != 0 {
		t.Errorf("%v, %v", found, err)
	}
	if n := f.db.SQL(f.name, "select generation from "+table); n != "101" {
		t.Errorf("generation %s", n)
	}
}

// testMark has a machine begin and die. It goes on itself at once; others wait, and take over in the end.
func testMark(t *testing.T, f *fleet) {
	f.set("id", "old")
	dead := f.machine()
	begun := func(m *Store) error {
		return m.Update(t.Context(), "id", func(old credential.Shared, begin func() error) credential.Shared {
			if err := begin(); err != nil {
				t.Error(err)
			}
			old.Grant = []byte("new")
			return old
		})
	}
	u := update{store: dead, id: "id", do: nil}
	u.me, _ = dead.machine()
	c, err := dead.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := u.lock(t.Context(), c)
	if err == nil {
		err = u.begin(t.Context(), c, r)
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close(t.Context()) // it is killed
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err = f.machine().Update(ctx, "id", func(old credential.Shared, _ func() error) credential.Shared { return old })
	wantKind(t, err, credential.StillRefreshing)
	wantGrant(t, f.machine(), "id", "old")
	if err := begun(dead); err != nil {
		t.Fatal(err)
	}
	wantGrant(t, f.machine(), "id", "new")
	f.db.SQL(f.name, "update "+table+" set spender = 'gone', spending_since = now() - interval '61 seconds'")
	if err := begun(f.machine()); err != nil {
		t.Fatal(err)
	}
	if left := f.db.SQL(f.name, "select count(spender) from "+table); left != "0" {
		t.Error("the mark stays")
	}
}

// testTampering moves sealed columns about: none opens where it was not sealed.
func testTampering(t *testing.T, f *fleet) {
	for _, change := range []string{
		"update %s set sealed_grant = (select sealed_grant from %s where id = 'b') where id = 'a'",
		"update %s set sealed_grant = sealed_record where id = 'a'",
		"update %s set generation = generation + 1 where id = 'a'",
		"update %s set sealed_grant = set_byte(sealed_grant, 20, 255 - get_byte(sealed_grant, 20)) where id = 'a'",
		"update %s set sealed_grant = '' where id = 'a'",
	} {
		f.set("a", "grant of a")
		f.set("b", "grant of b")
		f.db.SQL(f.name, strings.ReplaceAll(change, "%s", table))
		_, err := f.machine().Get(t.Context(), "a")
		wantKind(t, err, credential.KeychainBroken)
		wantGrant(t, f.machine(), "b", "grant of b")
	}
	f.set("a", "signed in again")
	wantGrant(t, f.machine(), "a", "signed in again")
	if text := f.db.SQL(f.name, "select * from "+table); strings.Contains(text, "grant of") {
		t.Error("a grant is readable")
	}
}

// testRotation replaces the key while machines go on: one has the new key later than the others.
func testRotation(t *testing.T, f *fleet) {
	f.set("a", "grant a")
	late := f.machine()
	late.o.KeyFile = filepath.Join(t.TempDir(), "late")
	old, err := os.ReadFile(f.key)
	if err != nil {
		t.Fatal(err)
	}
	f.write(late.o.KeyFile, strings.TrimSpace(string(old)))
	if err := NewKey(f.key, true); err != nil {
		t.Fatal(err)
	}
	f.set("a", "refreshed")
	f.set("b", "grant b")
	wantGrant(t, late, "a", "refreshed") // a key that not everybody has yet seals nothing
	wantGrant(t, late, "b", "grant b")
	data, err := f.machine().DataKey("a")
	if before, berr := late.DataKey("a"); err != nil || berr != nil || !data.Equal(before) {
		t.Error("the data key changes before the old key goes")
	}
	if n, err := f.machine().Rekey(t.Context()); n != 2 || err != nil {
		t.Fatalf("%d rows, %v", n, err)
	}
	if n, err := f.machine().Rekey(t.Context()); n != 0 || err != nil {
		t.Fatalf("%d rows, %v", n, err)
	}
	_, err = late.Get(t.Context(), "a")
	wantKind(t, err, credential.KeychainBroken)
	if err := RemoveOldKeys(f.key); err != nil {
		t.Fatal(err)
	}
	f.set("c", "grant c")
	for id, want := range map[string]string{"a": "refreshed", "b": "grant b", "c": "grant c"} {
		wantGrant(t, f.machine(), id, want)
	}
	if now, _ := os.ReadFile(f.key); bytes.Contains(now, bytes.TrimSpace(old)) {
		t.Error("the old key is still there")
	}
}
