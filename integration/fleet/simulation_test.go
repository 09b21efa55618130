//go:build fleet && linux

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

// simulated is a machine that shares tokens of an hour with others, as times since the beginning: when its token is due, when it is asked
// next, and when the connection ends that it has open.
type simulated struct{ due, asks, ends time.Duration }

// simulation is machines whose agents ask about once a minute. reading and refresh are how long a connection lasts that reads the row,
// and one that refreshes. spread: machines come to the refresh window one after the other, as helper has it.
type simulation struct {
	count
	machines         []simulated
	reading, refresh time.Duration
	spread           bool

	due, expiry time.Duration // of the token in the row
	refreshed   time.Duration // when the refresh ends that is under way; negative: none is
	behind      int           // machines that have the token before
	now         time.Duration
}

const tick = 20 * time.Millisecond

func simulate(machines int, reading, refresh time.Duration, spread bool) count {
	s := &simulation{machines: make([]simulated, machines), reading: reading, refresh: refresh, spread: spread, refreshed: -1}
	s.renew()
	for i := range s.machines {
		s.adopt(&s.machines[i])
	}
	perSecond := map[time.Duration]int{}
	for ; s.requests < hours || s.behind > 0 || s.refreshed >= 0; s.now += tick {
		if s.refreshed >= 0 && s.now >= s.refreshed {
			s.renew()
			s.refreshed, s.behind = -1, machines
		}
		s.skip()
		open, before := 0, s.connections
		for i := range s.machines {
			if s.step(&s.machines[i]) {
				open++
			}
		}
		s.once = max(s.once, open)
		perSecond[s.now.Truncate(time.Second)] += s.connections - before
	}
	for _, n := range perSecond {
		s.second = max(s.second, n)
	}
	return s.count
}

// renew puts a new token into the row.
func (s *simulation) renew() {
	zero := time.Unix(0, 0)
	s.expiry = s.now + time.Hour
	s.due = credential.RefreshWindow(zero.Add(s.now), zero.Add(s.expiry), rand.Float64()).Sub(zero)
}

// adopt gives a machine the token of the row.
func (s *simulation) adopt(m *simulated) {
	m.due = s.due
	if s.spread {
		m.due += time.Duration(rand.Float64() * float64(s.expiry-s.due) / 2)
	}
}

// skip goes on to when the first machine is due, while none has anything to do before.
func (s *simulation) skip() {
	if s.refreshed >= 0 || s.behind > 0 {
		return
	}
	first := s.machines[0].due
	for _, m := range s.machines {
		first = min(first, m.due)
	}
	if s.now >= first {
		return
	}
	s.now = first
	for i := range s.machines {
		s.machines[i].asks = s.now + pause()
	}
}

func pause() time.Duration { return time.Duration(rand.ExpFloat64() * float64(time.Minute)) }

// step has a machine do what is due now, and reports whether it has a connection open.
func (s *simulation) step(m *simulated) bool {
	if s.now < m.ends {
		return true
	}
	if m.ends > 0 {
		m.ends = 0
		s.adopt(m)
		s.behind--
	}
	if s.now < m.asks {
		return false
	}
	if m.asks = s.now + pause(); s.now < m.due {
		return false
	}
	s.connections++
	switch {
	case s.now < s.due: // another machine has refreshed
		m.ends = s.now + s.reading
	case s.refreshed < 0:
		s.connections, s.requests = s.connections+1, s.requests+1
		s.refreshed = s.now + s.refresh
		m.ends = s.refreshed
	default: // it waits for the row
		s.connections++
		m.ends = s.refreshed + s.reading
	}
	return true
}
