//go:build integration && linux

package fleet

import (
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/cache/postgres"
	"github.com/mcp-credential/mcp-credential/credential"
)

// TestTenThousandMachines measures what one reading of the row takes here, connection included, and counts by simulation what that is for
// many machines: how many connections the database sees, at most in one second and at most at the same time. The figures
// in docs/fleet.md are from it.
func TestTenThousandMachines(t *testing.T) {
	f := newFleet(t)
	m := f.machine()
	m.must("login", f.world.ServerURL())
	id := f.db.SQL("fleet", "select id from mcp_credential_signins")
	s := postgres.Open(postgres.Options{Dir: m.home, URLFile: filepath.Join(m.home, "url"), KeyFile: f.key})
	const readings = 100
	began := time.Now()
	for range readings {
		if _, err := s.Lookup(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	reading := time.Since(began) / readings
	t.Logf("one reading of the row with its connection, TLS and password: %v", reading)
	for _, machines := range []int{10, 100, 1000, 10000} {
		for _, spread := range []bool{false, true} {
			c := simulate(machines, 20*time.Millisecond, 500*time.Millisecond, spread)
			t.Logf("%5d machines, spread %v: %.2f connections per machine and token, at most %d connections in a second, %d at once",
				machines, spread, float64(c.connections)/float64(machines)/hours, c.second, c.once)
		}
	}
}

const hours = 3

// count is what a database sees in some hours.
type count struct{ connections, requests, second, once int }

// simulate has machines whose agents ask about once a minute share tokens of an hour. reading and refresh are how long a
// connection lasts that reads the row, and one that refreshes. spread: machines come to the refresh window one after the other, as helper has it.
func simulate(machines int, reading, refresh time.Duration, spread bool) count {
	const tick = 20 * time.Millisecond
	type machine struct{ due, expiry, asks, ends time.Duration }
	all := make([]machine, machines)
	window := func(now time.Duration) (due, expiry time.Duration) {
		zero := time.Unix(0, 0)
		at := credential.RefreshWindow(zero.Add(now), zero.Add(now+time.Hour), rand.Float64())
		return at.Sub(zero), now + time.Hour
	}
	var c count
	due, expiry := window(0)
	adopt := func(m *machine) {
		m.due, m.expiry = due, expiry
		if spread {
			m.due += time.Duration(rand.Float64() * float64(m.expiry-m.due) / 2)
		}
	}
	for i := range all {
		adopt(&all[i])
	}
	behind := 0                    // machines that have the token before; while there is none, nobody has anything to do before the first is due
	refreshed := time.Duration(-1) // when the refresh that is under way ends
	perSecond := map[time.Duration]int{}
	for now := time.Duration(0); c.requests < hours || behind > 0 || refreshed >= 0; now += tick {
		if refreshed >= 0 && now >= refreshed {
			due, expiry = window(now)
			refreshed, behind = -1, machines
		}
		if refreshed < 0 && behind == 0 {
			first := all[0].due
			for _, m := range all {
				first = min(first, m.due)
			}
			if now < first {
				now = first
				for i := range all {
					all[i].asks = now + time.Duration(rand.ExpFloat64()*float64(time.Minute))
				}
			}
		}
		open := 0
		for i := range all {
			m := &all[i]
			if now < m.ends {
				open++
				continue
			}
			if m.ends > 0 {
				m.ends = 0
				adopt(m)
				behind--
			}
			if now < m.asks {
				continue
			}
			m.asks = now + time.Duration(rand.ExpFloat64()*float64(time.Minute))
			if now < m.due {
				continue
			}
			c.connections++
			perSecond[now.Truncate(time.Second)]++
			open++
			switch {
			case now < due: // another machine has refreshed
				m.ends = now + reading
			case refreshed < 0:
				c.connections, c.requests = c.connections+1, c.requests+1
				refreshed = now + refresh
				m.ends = refreshed
			default: // it waits for the row
				c.connections++
				m.ends = refreshed + reading
			}
		}
		c.once = max(c.once, open)
	}
	for _, n := range perSecond {
		c.second = max(c.second, n)
	}
	return c
}
