package keychain

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/mcp-credential/mcp-credential/credential"
)

// TestWindowsLayers is the contract over the layers of the Windows Credential Manager.
func TestWindowsLayers(t *testing.T) {
	r := newFragile(wincredLimit)
	contract(t, func(*testing.T, string) Keychain { return slotStore(chunks{r, wincredLimit}) }, false)
	if len(r.items) != 0 {
		t.Errorf("%d items are left behind", len(r.items))
	}
}

func TestPartsAtTheLimit(t *testing.T) {
	r := newFragile(wincredLimit)
	p := chunks{r, wincredLimit}
	for _, c := range []struct{ size, items int }{
		{0, 1}, {1, 1}, {wincredLimit - partsHead, 1}, {wincredLimit - partsHead + 1, 2}, {wincredLimit, 2},
		{2*wincredLimit - partsHead, 2}, {2*wincredLimit - partsHead + 1, 3}, {9000, 4}, {5, 1},
	} {
		value := bytes.Repeat([]byte{'x'}, c.size)
		if err := p.set(t.Context(), "id", "", value); err != nil {
			t.Fatalf("%d bytes: %v", c.size, err)
		}
		got, err := p.get(t.Context(), "id")
		if err != nil || !bytes.Equal(got, value) || len(r.items) != c.items {
			t.Errorf("%d bytes: %d bytes in %d items, %v; want %d items", c.size, len(got), len(r.items), err, c.items)
		}
	}
}

func TestPartsRefuseAValueBeyondBounds(t *testing.T) {
	r := newFragile(0)
	p := chunks{r, 10}
	wantKind(t, p.set(t.Context(), "id", "", make([]byte, 10*partsMax)), credential.KeychainBroken)
	if len(r.items) != 0 {
		t.Errorf("%d items were written", len(r.items))
	}
}

func TestPartsThatAreNotWhole(t *testing.T) {
	r := newFragile(0)
	p := chunks{r, 10}
	if err := p.set(t.Context(), "id", "", make([]byte, 25)); err != nil {
		t.Fatal(err)
	}
	delete(r.items, "id.1")
	if _, err := p.get(t.Context(), "id"); !errors.Is(err, errDamaged) {
		t.Errorf("without its second part: %v", err)
	}
	r.items["id.0"] = []byte{0}
	if _, err := p.get(t.Context(), "id"); !errors.Is(err, errDamaged) {
		t.Errorf("without a head: %v", err)
	}
}

func FuzzParts(f *testing.F) {
	f.Add([]byte("value"), 3)
	f.Add(bytes.Repeat([]byte{0}, 100), 7)
	f.Fuzz(func(t *testing.T, value []byte, limit int) {
		if limit < partsHead || limit > 4096 || len(value)+partsHead > limit*partsMax {
			return
		}
		p := chunks{newFragile(limit), limit}
		if err := p.set(context.Background(), "id", "", value); err != nil {
			t.Fatal(err)
		}
		if got, err := p.get(context.Background(), "id"); err != nil || !bytes.Equal(got, value) {
			t.Fatalf("%x, %v; want %x", got, err, value)
		}
	})
}
