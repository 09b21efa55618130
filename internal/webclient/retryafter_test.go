package webclient

import (
	"testing"
	"time"
)

// Whatever a server writes, nobody waits longer than MaxRetryAfter, or into the past.
func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"", "0", "5", "-1", "99999999999999999999", "1e3", "Fri, 31 Dec 1999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "soon"} {
		f.Add(seed)
	}
	now := time.Unix(1_700_000_000, 0)
	f.Fuzz(func(t *testing.T, value string) {
		if wait, _ := RetryAfter(value, now); wait < 0 || wait > MaxRetryAfter {
			t.Fatalf("%q: %v", value, wait)
		}
	})
}
