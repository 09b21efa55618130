package keychain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/mcp-credential/mcp-credential/credential"
)

// fragile is a raw store that cuts a set off after some bytes, limits the size of a value, and can be locked.
type fragile struct {
	memory
	limit  int  // 0: none
	cut    int  // bytes that the next set still writes; -1: all
	locked bool // values cannot be told from damaged ones
}

var errCut = errors.New("cut off")

func newFragile(limit int) *fragile {
	return &fragile{memory: memory{items: map[string][]byte{}}, limit: limit, cut: -1}
}

func (f *fragile) get(ctx context.Context, key string) ([]byte, error) {
	v, err := f.memory.get(ctx, key)
	if err == nil && f.locked {
		return nil, unreadable{credential.Fail(credential.KeychainLocked, "locked", nil)}
	}
	return v, err
}

func (f *fragile) set(ctx context.Context, key, label string, value []byte) error {
	if f.limit > 0 && len(value) > f.limit {
		return fmt.Errorf("%d bytes are more than %d", len(value), f.limit)
	}
	if f.cut < 0 {
		return f.memory.set(ctx, key, label, value)
	}
	written := min(f.cut, len(value))
	f.cut -= written
	if err := f.memory.set(ctx, key, label, value[:written]); err != nil || written == len(value) {
		return err
	}
	return errCut
}

func slotStore(r raw) Keychain {
	return &store{raw: slots{r}, name: nameMemory, tier: "slots", wait: credential.KeychainCall}
}

func TestSlots(t *testing.T) {
	r := newFragile(0)
	contract(t, func(*testing.T, string) Keychain { return slotStore(r) }, false)
}

// TestASetThatIsCutOffLeavesTheOldValue cuts at every byte, over a store with and without parts.
func TestASetThatIsCutOffLeavesTheOldValue(t *testing.T) {
	for name, layer := range map[string]func(*fragile) raw{
		"slots": func(f *fragile) raw { return f },
		"parts": func(f *fragile) raw { return chunks{f, 16} },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFragile(0)
			k := slotStore(layer(f))
			value := []byte(nil)
			cuts := 0
			for cut := 0; cut < 200; cut++ {
				next := fmt.Appendf(nil, "value number %d, which is longer than one part", cut)
				f.cut = cut
				err := k.Set(t.Context(), "id", "", next)
				f.cut = -1
				got, getErr := k.Get(t.Context(), "id")
				switch {
				case err == nil:
					value = next
				case value == nil && errors.Is(getErr, credential.ErrNoItem):
					cuts++
					continue
				default:
					cuts++
				}
				if getErr != nil || !bytes.Equal(got, value) {
					t.Fatalf("cut at %d: %q, %v; want %q", cut, got, getErr, value)
				}
			}
			if cuts < 80 || value == nil {
				t.Fatalf("%d cuts, value %q", cuts, value)
			}
		})
	}
}

func TestALockedStoreIsNotTakenForADamagedOne(t *testing.T) {
	f := newFragile(0)
	k := slotStore(f)
	set(t, k, "id", "one")
	if err := f.remove(t.Context(), slotKey("id", 1)); err != nil { // as after a first set that was cut off
		t.Fatal(err)
	}
	f.locked = true
	_, err := k.Get(t.Context(), "id")
	wantKind(t, err, credential.KeychainLocked)

	set(t, k, "id", "two") // into the other slot, which was never written
	f.locked = false
	wantValue(t, k, "id", []byte("two"))

	f.locked = true
	wantKind(t, k.Set(t.Context(), "id", "", []byte("three")), credential.KeychainLocked)
	f.locked = false
	wantValue(t, k, "id", []byte("two"))
}

// The first set writes both slots, so that no later one has to find room for a new entry.
func TestTheFirstSetWritesBothSlots(t *testing.T) {
	f := newFragile(0)
	k := slotStore(f)
	for _, value := range []string{"one", "two", "three"} {
		set(t, k, "id", value)
		wantValue(t, k, "id", []byte(value))
		for n := range 2 {
			b, err := f.get(t.Context(), slotKey("id", n))
			if err != nil {
				t.Fatal(err)
			}
			if _, _, ok := decodeFrame(b); !ok {
				t.Errorf("after %q slot %d is not whole", value, n)
			}
		}
	}
}

func TestFrames(t *testing.T) {
	whole := encodeFrame(7, []byte("value"))
	if g, v, ok := decodeFrame(whole); !ok || g != 7 || string(v) != "value" {
		t.Fatalf("decode: %d %q %v", g, v, ok)
	}
	for i := range whole {
		if _, _, ok := decodeFrame(whole[:i]); ok {
			t.Errorf("whole with %d bytes of %d", i, len(whole))
		}
		flipped := slices.Clone(whole)
		flipped[i] ^= 1
		if _, _, ok := decodeFrame(flipped); ok {
			t.Errorf("whole with byte %d changed", i)
		}
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(encodeFrame(1, []byte("value")))
	f.Add(encodeFrame(1<<63, nil))
	f.Add([]byte("mcs1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		g, v, ok := decodeFrame(b)
		if !ok {
			return
		}
		again := encodeFrame(g, v)
		if !bytes.Equal(again, b) {
			t.Fatalf("%x encodes as %x", b, again)
		}
		if g2, v2, ok := decodeFrame(again); !ok || g2 != g || !bytes.Equal(v2, v) {
			t.Fatalf("decodes as %d %x %v", g2, v2, ok)
		}
	})
}
