package cache

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/testsupport"
)

func TestMemoryKeys(t *testing.T) {
	testKeys(t, func(t *testing.T, now func() time.Time) Keys { return newMemoryKeys(now) })
}

// SystemKeys keep the contract, or refuse everything in the way that the contract foresees.
func TestSystemKeys(t *testing.T) {
	home := newDir(t).ID
	if keys := SystemKeys(home); keys.Tier() == noTier {
		testNoKeys(t, keys)
		return
	}
	testKeys(t, func(t *testing.T, now func() time.Time) Keys { return systemKeys(newDir(t).ID, now) })
	one, two := SystemKeys(home), SystemKeys(newDir(t).ID)
	t.Cleanup(func() { _ = one.Drop(signInA) })
	put(t, one, signInA, "key", time.Minute)
	missing(t, two, signInA)
}

func testNoKeys(t *testing.T, keys Keys) {
	t.Helper()
	if err := keys.Put(signInA, []byte("key"), time.Minute); !errors.Is(err, ErrNoTier) {
		t.Errorf("Put: %v", err)
	}
	missing(t, keys, signInA)
	if err := keys.Drop(signInA); err != nil {
		t.Errorf("Drop: %v", err)
	}
	if tier := keys.Tier(); tier != noTier {
		t.Errorf("Tier: %s", tier)
	}
}

func put(t *testing.T, keys Keys, id, key string, ttl time.Duration) {
	t.Helper()
	if err := keys.Put(id, []byte(key), ttl); err != nil {
		t.Fatal(err)
	}
}

func found(t *testing.T, keys Keys, id, want string) {
	t.Helper()
	if got, err := keys.Get(id); err != nil || string(got) != want {
		t.Errorf("%s: got %q, error %v; want %q", id, got, err, want)
	}
}

func missing(t *testing.T, keys Keys, id string) {
	t.Helper()
	if got, err := keys.Get(id); !errors.Is(err, ErrMiss) || got != nil {
		t.Errorf("%s: got %q, error %v; want a miss", id, got, err)
	}
}

// testKeys is the contract of Keys. open returns an empty one.
func testKeys(t *testing.T, open func(*testing.T, func() time.Time) Keys) {
	for name, test := range map[string]func(*testing.T, Keys, *testsupport.Clock){
		"put and drop": keysPutAndDrop, "ends": keysEnd, "never shortened": keysNeverShortened,
		"replaced": keysReplaced, "bounds": keysBounds, "at once": keysAtOnce,
	} {
		t.Run(name, func(t *testing.T) {
			c := testsupport.NewClock()
			keys := open(t, c.Now)
			t.Cleanup(func() { _, _ = keys.Drop(signInA), keys.Drop(signInB) })
			test(t, keys, c)
		})
	}
}

func keysPutAndDrop(t *testing.T, keys Keys, _ *testsupport.Clock) {
	if tier := keys.Tier(); tier == "" || tier == noTier {
		t.Errorf("tier %q", tier)
	}
	missing(t, keys, signInA)
	if err := keys.Drop(signInA); err != nil {
		t.Errorf("dropping nothing: %v", err)
	}
	binary := string([]byte{0, 255, '\n', 0})
	put(t, keys, signInA, binary, time.Minute)
	put(t, keys, signInB, "b", time.Minute)
	found(t, keys, signInA, binary)
	if got, err := keys.Get(signInA); err == nil {
		got[0] = 'x'
	}
	found(t, keys, signInA, binary)
	if err := keys.Drop(signInA); err != nil {
		t.Fatal(err)
	}
	missing(t, keys, signInA)
	found(t, keys, signInB, "b")
	put(t, keys, signInA, "again", time.Minute)
	found(t, keys, signInA, "again")
}

func keysEnd(t *testing.T, keys Keys, c *testsupport.Clock) {
	put(t, keys, signInA, "a", time.Minute)
	c.Advance(59 * time.Second)
	found(t, keys, signInA, "a")
	c.Advance(2 * time.Second)
	missing(t, keys, signInA)
}

func keysNeverShortened(t *testing.T, keys Keys, c *testsupport.Clock) {
	put(t, keys, signInA, "a", time.Hour)
	put(t, keys, signInA, "a", time.Minute)
	put(t, keys, signInA, "a", -time.Minute)
	c.Advance(59 * time.Minute)
	found(t, keys, signInA, "a")
	put(t, keys, signInA, "a", 30*time.Minute)
	c.Advance(29 * time.Minute)
	found(t, keys, signInA, "a")
	c.Advance(2 * time.Minute)
	missing(t, keys, signInA)
}

func keysReplaced(t *testing.T, keys Keys, c *testsupport.Clock) {
	put(t, keys, signInA, "old", time.Hour)
	put(t, keys, signInA, "new", time.Minute)
	found(t, keys, signInA, "new")
	c.Advance(2 * time.Minute)
	missing(t, keys, signInA)
	put(t, keys, signInA, "old", time.Minute)
	found(t, keys, signInA, "old")
}

func keysBounds(t *testing.T, keys Keys, c *testsupport.Clock) {
	put(t, keys, signInA, "a", 0)
	put(t, keys, signInA, "a", -time.Hour)
	missing(t, keys, signInA)
	put(t, keys, signInA, "a", 1<<63-1)
	c.Advance(hotLongest - time.Minute)
	found(t, keys, signInA, "a")
	c.Advance(2 * time.Minute)
	missing(t, keys, signInA)
}

func keysAtOnce(t *testing.T, keys Keys, _ *testsupport.Clock) {
	put(t, keys, signInA, "a", time.Minute)
	var wait sync.WaitGroup
	for n := range 8 {
		wait.Go(func() {
			for i := range 20 {
				if err := keys.Put(signInA, []byte("a"), time.Minute+time.Duration(n*20+i)*time.Second); err != nil {
					t.Error(err)
				}
				found(t, keys, signInA, "a")
			}
		})
	}
	wait.Wait()
}

func TestEntry(t *testing.T) {
	e := entry{until: time.Unix(1<<33, 0), key: []byte("key")}
	if got := decodeEntry(e.encode()); !got.until.Equal(e.until) || !bytes.Equal(got.key, e.key) {
		t.Errorf("got %v, want %v", got, e)
	}
	for n := range 9 {
		if e := decodeEntry(slices.Repeat([]byte{255}, n)); e.live(time.Unix(0, 0)) {
			t.Errorf("%d bytes are a key", n)
		}
	}
}

// A hot key is what we stored, or none: other programs of the user can write there too.
func FuzzEntry(f *testing.F) {
	f.Add(entry{until: time.Unix(1_700_000_000, 0), key: make([]byte, keySize)}.encode())
	for _, seed := range [][]byte{{}, make([]byte, 8), make([]byte, 9), bytes.Repeat([]byte{0xff}, 40)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e := decodeEntry(data)
		if len(data) <= 8 && e.live(time.Time{}) {
			t.Fatalf("%x is a key", data)
		}
		if len(data) > 8 && !bytes.Equal(e.encode(), data) {
			t.Fatalf("%x became %x", data, e.encode())
		}
		if next, changed := e.extend([]byte("k"), time.Unix(1_700_000_000, 0), time.Hour); changed && next.until.After(time.Unix(1_700_000_000, 0).Add(time.Hour+time.Second)) {
			t.Fatalf("%x is extended to %v", data, next.until)
		}
	})
}
