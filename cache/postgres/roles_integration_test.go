//go:build fleet && linux

package postgres

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/testsupport"
)

// statements are those of docs/fleet.md that make the roles.
func statements(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../docs/fleet.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```sql\n(.*?)```").FindSubmatch(data)
	if block == nil {
		t.Fatal("docs/fleet.md has no statements")
	}
	return string(block[1])
}

// testRoles has the roles of the manual do what they may, and what they may not.
func testRoles(t *testing.T, f *fleet) {
	f.db.SQL(f.name, statements(t))
	f.db.SQL(f.name, "alter role fleet_signin password 'for-a-test'; alter role fleet_get password 'for-a-test'")
	signIn, get := f.as("fleet_signin", ""), f.as("fleet_get", "")
	ctx := t.Context()
	if err := signIn.MaySignIn(ctx); err != nil {
		t.Fatal(err)
	}
	wantKind(t, get.MaySignIn(ctx), credential.Misconfigured)
	wantKind(t, get.Set(ctx, "id", "", []byte("grant")), credential.Misconfigured)
	if err := signIn.Set(ctx, "id", "", []byte("grant")); err != nil {
		t.Fatal(err)
	}
	refresh := func(servers ...string) func(credential.Shared, func() error) credential.Shared {
		return func(old credential.Shared, begin func() error) credential.Shared {
			if servers != nil {
				old.Servers = servers
				return old
			}
			if err := begin(); err != nil {
				t.Error(err)
			}
			old.Grant = append(old.Grant, '+')
			return old
		}
	}
	if err := get.Update(ctx, "id", refresh()); err != nil {
		t.Fatal(err)
	}
	wantGrant(t, get, "id", "grant+")
	wantKind(t, get.Update(ctx, "id", refresh("https://evil.example/mcp")), credential.Misconfigured)
	wantGrant(t, get, "id", "grant+")
	wantKind(t, get.Delete(ctx, "id"), credential.Misconfigured)
	if err := signIn.Update(ctx, "id", refresh("https://a.example/mcp")); err != nil {
		t.Fatal(err)
	}
	if err := signIn.Delete(ctx, "id"); err != nil {
		t.Fatal(err)
	}
}

// testSettings has every mistake in the settings named, and no word of the URL in what is said.
func testSettings(t *testing.T, f *fleet) {
	ctx := t.Context()
	for name, row := range map[string]struct {
		store *Store
		kind  credential.Kind
		words string
	}{
		"the password is wrong":      {f.as("nobody", ""), credential.Misconfigured, "password"},
		"the certificate is unknown": {f.as("postgres", "connect_timeout=3"), credential.Untrusted, "sslrootcert"},
		"nothing is verified":        {f.as("postgres", "sslmode=require"), credential.Misconfigured, "sslmode"},
		"prefer":                     {f.as("postgres", "sslmode=prefer"), credential.Misconfigured, "sslmode"},
		"no URL file":                {Open(Options{KeyFile: f.key}), credential.Misconfigured, "postgres_url_file"},
		"no key file":                {Open(Options{URLFile: f.url}), credential.Misconfigured, "fleet_key_file"},
		"a URL file that is none":    {Open(Options{URLFile: f.key, KeyFile: f.key}), credential.Misconfigured, "postgres://"},
		"a key file that is none":    {Open(Options{URLFile: f.url, KeyFile: f.url}), credential.Misconfigured, "32 bytes"},
	} {
		_, err := row.store.Get(ctx, "id")
		wantKind(t, err, row.kind)
		if text := err.Error(); !strings.Contains(text, row.words) || strings.Contains(text, "for-a-test") || strings.Contains(text, "127.0.0.1") {
			t.Errorf("%s: %s", name, text)
		}
	}
	exposed := filepath.Join(t.TempDir(), "url")
	f.write(exposed, "postgres://x")
	if err := os.Chmod(exposed, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Open(Options{URLFile: exposed, KeyFile: f.key}).Get(ctx, "id")
	wantKind(t, err, credential.Misconfigured)
	wantAbsent(t, f.as("postgres", "sslmode=disable"), "id")
	f.db.SQL(f.name, "drop table "+table)
	_, err = f.machine().Get(ctx, "id")
	wantKind(t, err, credential.Misconfigured)
	if !strings.Contains(err.Error(), "fleet init") {
		t.Error(err)
	}
	raw := filepath.Join(t.TempDir(), "raw")
	f.write(raw, strings.Repeat("k", keyLen-1)) // and its newline
	if keys, err := readKeys(raw); err != nil || len(keys) != 1 {
		t.Errorf("32 raw bytes: %v", err)
	}
}

// TestDatabaseAway stops, freezes and kills the database: every call ends, with kind Network, and a commit that was cut off is
// looked after.
func TestDatabaseAway(t *testing.T) {
	db := testsupport.StartPostgres(t)
	f := newFleet(t, db)
	f.set("id", "old")
	m := f.machine()

	db.Freeze() // the connection is taken, nobody answers
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	_, err := m.Get(ctx, "id")
	cancel()
	wantKind(t, err, credential.Network)
	db.Thaw()

	err = m.Update(t.Context(), "id", func(old credential.Shared, begin func() error) credential.Shared {
		if err := begin(); err != nil {
			t.Error(err)
		}
		db.Kill()
		go db.Start()
		old.Grant = []byte("new")
		return old
	})
	if err != nil {
		t.Fatal(err)
	}
	wantGrant(t, f.machine(), "id", "new")
	if g := db.SQL(f.name, "select generation from "+table); g != "2" {
		t.Errorf("generation %s", g)
	}
	db.Kill()
	_, err = m.Get(t.Context(), "id")
	wantKind(t, err, credential.Network)
	if strings.Contains(err.Error(), "for-a-test") {
		t.Error(err)
	}
	db.Start()
	wantGrant(t, m, "id", "new")
}
