package cache

import (
	"bytes"
	"encoding/binary"
	"sync"
	"time"
)

// Keys keeps data keys hot: in memory of the operating system that outlives this process but not the machine's next
// start. Any number of processes and goroutines may use one at once. No call waits.
type Keys interface {
	// Get returns the key of id, or ErrMiss: never put, dropped, past its time, or out of reach.
	Get(id string) ([]byte, error)
	// Put keeps key for ttl, rounded up to seconds. It never shortens the time of a key that is already there; another
	// key for the same id replaces it, time and all. A ttl that is not positive does nothing, one longer than 30 days
	// counts as that. ErrNoTier means that the system refuses.
	Put(id string, key []byte, ttl time.Duration) error
	// Drop makes the key unreadable for everybody at once. A missing one is no error.
	Drop(id string) error
	// Tier names the place for people, "none" where there is no such place.
	Tier() string
}

// SystemKeys returns the place that this system has for hot keys: the kernel's user keyring on Linux, the Credential
// Manager on Windows, none elsewhere. Homes do not see each other's keys.
func SystemKeys(homeID string) Keys { return systemKeys(homeID, time.Now) }

// hotLongest bounds every ttl: a key that nobody forgets ends some day all the same.
const hotLongest = 30 * 24 * time.Hour

// noTier is the Tier of a system without a place for hot keys.
const noTier = "none"

// label names a key in places that other programs use too.
func label(homeID, id string) string { return "mcp-credential:" + homeID + ":" + id }

// entry is a hot key as it is stored: the key and when it ends, because not every place can tell or even keep that.
type entry struct {
	until time.Time
	key   []byte
}

// extend returns what to store when key is put at now for ttl over what is there, and whether that changes anything.
func (e entry) extend(key []byte, now time.Time, ttl time.Duration) (entry, bool) {
	next := entry{until: now.Add(min(ttl, hotLongest)).Truncate(time.Second).Add(time.Second), key: key}
	if ttl <= 0 || bytes.Equal(e.key, key) && !e.until.Before(next.until) {
		return e, false
	}
	return next, true
}

// live reports whether there is a key and its time has not passed.
func (e entry) live(now time.Time) bool { return len(e.key) > 0 && now.Before(e.until) }

// encode returns the end in Unix seconds, 8 bytes big-endian, and the key.
func (e entry) encode() []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(e.until.Unix())), e.key...)
}

// decodeEntry returns the zero entry for what encode has not made.
func decodeEntry(data []byte) entry {
	if len(data) <= 8 {
		return entry{}
	}
	return entry{until: time.Unix(int64(binary.BigEndian.Uint64(data)), 0), key: bytes.Clone(data[8:])}
}

// MemoryKeys returns Keys that live as long as this process, for tests.
func MemoryKeys() Keys {
	return newMemoryKeys(time.Now)
}

func newMemoryKeys(now func() time.Time) *memoryKeys {
	return &memoryKeys{now: now, entries: map[string]entry{}}
}

type memoryKeys struct {
	now     func() time.Time
	mu      sync.Mutex
	entries map[string]entry
}

func (m *memoryKeys) Get(id string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[id]
	if !e.live(m.now()) {
		return nil, ErrMiss
	}
	return bytes.Clone(e.key), nil
}

func (m *memoryKeys) Put(id string, key []byte, ttl time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if next, changed := m.entries[id].extend(bytes.Clone(key), m.now(), ttl); changed {
		m.entries[id] = next
	}
	return nil
}

func (m *memoryKeys) Drop(id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.entries, id)
	return nil
}

func (m *memoryKeys) Tier() string { return "memory" }
