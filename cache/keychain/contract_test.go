package keychain

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

const (
	homeA = "00112233445566aa"
	homeB = "00112233445566bb"
)

// contract is what every keychain promises. open opens it again, for the home it is given, on the same place.
func contract(t *testing.T, open func(t *testing.T, home string) Keychain, persistent bool) {
	k := open(t, homeA)
	t.Run("names", func(t *testing.T) {
		if !slices.Contains(Names(), k.Store()) || k.Tier() == "" {
			t.Errorf("Store %q, Tier %q", k.Store(), k.Tier())
		}
	})
	t.Run("absent", func(t *testing.T) {
		wantAbsent(t, k, "absent")
		if err := k.Delete(t.Context(), "absent"); err != nil {
			t.Errorf("Delete of nothing: %v", err)
		}
	})
	t.Run("values", func(t *testing.T) { contractValues(t, k) })
	t.Run("ids are apart", func(t *testing.T) { contractIDs(t, k) })
	t.Run("bad ids", func(t *testing.T) { contractBadIDs(t, k) })
	t.Run("context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		start := time.Now()
		_, err := k.Get(ctx, "absent")
		if time.Since(start) > time.Second || err == nil {
			t.Errorf("Get with a cancelled context: %v after %v", err, time.Since(start))
		}
	})
	if persistent {
		t.Run("homes and reopening", func(t *testing.T) { contractHomes(t, k, open) })
	}
}

func contractValues(t *testing.T, k Keychain) {
	big := make([]byte, 9000)
	_, _ = rand.Read(big)
	values := [][]byte{[]byte("one"), []byte("two"), {0, 0xff, '\n', '\r', 0}, {}, big, []byte("short again"), []byte("last")}
	for i, v := range values {
		label := "mcp-credential: contract \x00\xff " + strings.Repeat("é", i*50)
		if err := k.Set(t.Context(), "item", label, v); err != nil {
			t.Fatalf("Set %d: %v", i, err)
		}
		wantValue(t, k, "item", v)
	}
	for range 2 {
		if err := k.Delete(t.Context(), "item"); err != nil {
			t.Fatalf("Delete: %v", err)
		}
		wantAbsent(t, k, "item")
	}
}

func contractIDs(t *testing.T, k Keychain) {
	ids := []string{"a", "a0", "a-0", "a_0", strings.Repeat("z", 64)}
	for _, id := range ids {
		set(t, k, id, "value of "+id)
	}
	for _, id := range ids {
		wantValue(t, k, id, []byte("value of "+id))
		if err := k.Delete(t.Context(), id); err != nil {
			t.Errorf("Delete %s: %v", id, err)
		}
		wantAbsent(t, k, id)
	}
}

func contractBadIDs(t *testing.T, k Keychain) {
	for _, id := range []string{"", "../x", "A", "a.0", "a/b", "a b", "ä", "a\x00", strings.Repeat("z", 65)} {
		_, err := k.Get(t.Context(), id)
		wantKind(t, err, credential.Internal)
		wantKind(t, k.Set(t.Context(), id, "label", nil), credential.Internal)
		wantKind(t, k.Delete(t.Context(), id), credential.Internal)
	}
}

func contractHomes(t *testing.T, k Keychain, open func(*testing.T, string) Keychain) {
	set(t, k, "shared", "of A")
	other := open(t, homeB)
	wantAbsent(t, other, "shared")
	set(t, other, "shared", "of B")
	wantValue(t, open(t, homeA), "shared", []byte("of A"))
	if err := other.Delete(t.Context(), "shared"); err != nil {
		t.Fatal(err)
	}
	wantValue(t, open(t, homeA), "shared", []byte("of A"))
	if err := k.Delete(t.Context(), "shared"); err != nil {
		t.Fatal(err)
	}
	wantAbsent(t, open(t, homeA), "shared")
}

func set(t *testing.T, k Keychain, id, value string) {
	t.Helper()
	if err := k.Set(t.Context(), id, "mcp-credential: test", []byte(value)); err != nil {
		t.Fatalf("Set %s: %v", id, err)
	}
}

func wantValue(t *testing.T, k Keychain, id string, want []byte) {
	t.Helper()
	got, err := k.Get(t.Context(), id)
	if err != nil {
		t.Fatalf("Get %s: %v", id, err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("Get %s: %d bytes %.20q, want %d bytes %.20q", id, len(got), got, len(want), want)
	}
}

func wantAbsent(t *testing.T, k Keychain, id string) {
	t.Helper()
	if v, err := k.Get(t.Context(), id); !errors.Is(err, credential.ErrNoItem) {
		t.Fatalf("Get %s: %d bytes, %v; want credential.ErrNoItem", id, len(v), err)
	}
}

func wantKind(t *testing.T, err error, kind credential.Kind) {
	t.Helper()
	var e *credential.Error
	if !errors.As(err, &e) || e.Kind != kind {
		t.Fatalf("error %v, want kind %v", err, kind)
	}
}
