package cache

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// BenchmarkWarm is what a warm get asks of the cache: it may not grow with the number of servers.
func BenchmarkWarm(b *testing.B) {
	for name, servers := range map[string]int{"1": 1, "1000": 1000} {
		b.Run(name, func(b *testing.B) { benchmarkWarm(b, servers) })
	}
}

func benchmarkWarm(b *testing.B, servers int) {
	dir := newDir(b)
	keys := SystemKeys(dir.ID)
	if keys.Tier() == noTier {
		keys = MemoryKeys()
	}
	s := Open(dir, keys)
	b.Cleanup(func() { _ = s.Forget(signInA) })
	q := credential.Query{URL: server}
	for n := range servers {
		q.Account = strconv.Itoa(n)
		data, err := encodePointer(Pointer{URL: q.URL, SignIn: signInA, TokenID: token1})
		if err != nil {
			b.Fatal(err)
		}
		plant(b, pointerPath(s.dir, q), data)
	}
	keep(b, s, dataKey(1), signInA, token1, sample(strings.Repeat("x", 1500), time.Now(), time.Hour))
	for b.Loop() {
		p, err := s.Lookup(q)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Token(p.SignIn, p.TokenID); err != nil {
			b.Fatal(err)
		}
	}
}
