//go:build fleet && linux

package fleet

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/atomicfile"
	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

// lengthVariable is how long the kills go on, as a Go duration; make torture sets it.
const lengthVariable = "TORTURE"

func length(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv(lengthVariable)
	if text == "" {
		return 20 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// victim is a machine that asks for a token again and again, and is killed.
type victim struct {
	*machine
	gate   sync.Mutex // held while its processes are killed and what they were at is looked at
	parked time.Time  // of the newest parked refresh token that was seen
}

// torture counts what becomes of the refresh tokens. Each that the authorization server gives out is in the row, parked on the machine
// that got it, or was lost in the window: the server had spent the one before, and the only copy was on the wire or in memory.
type torture struct {
	*fleet
	victims []*victim
	logins  int
	window  int // lost in it
	found   int // found parked after a kill: the machine spends them, and they never come into the row
	kills   int
	crashes int // of the database
}

// TestTortureKills kills machines and the database at random, with tokens of three seconds.
func TestTortureKills(t *testing.T) {
	k := &torture{fleet: newFleet(t, func(o *fakeworld.Options) { o.AccessTTL = 3 * time.Second })}
	for range 5 {
		k.victims = append(k.victims, &victim{machine: k.machine()})
	}
	k.signIn()
	done := make(chan struct{})
	var work sync.WaitGroup
	var mu sync.Mutex
	codes := map[int]int{}
	for _, v := range k.victims {
		work.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				v.gate.Lock()
				//lint:ignore SA2001 whoever kills it has to be done
				v.gate.Unlock()
				r := v.get()
				mu.Lock()
				codes[r.code]++
				mu.Unlock()
				if r.code != 0 && r.code != 4 && r.code != -1 {
					t.Errorf("during the kills: %v", r)
				}
			}
		})
	}
	for end := time.Now().Add(length(t)); time.Now().Before(end) && !t.Failed(); {
		<-time.After(rand.N(400 * time.Millisecond))
		k.strike()
	}
	close(done)
	work.Wait()
	for _, v := range k.victims {
		r := v.get()
		for end := time.Now().Add(90 * time.Second); r.code == 4 && time.Now().Before(end); {
			r = v.get()
		}
		if r.code != 0 {
			t.Errorf("after the kills: %v", r)
		}
	}
	s := k.world.Stats()
	t.Logf("%d machines killed, %d times the database; %d refreshes, %d refresh tokens found parked, %d sign-ins lost in the window, reuse %d; gets by exit code (-1: killed): %v",
		k.kills, k.crashes, s.TokenOK["refresh_token"], k.found, k.window, s.Reuse, codes)
	if s.Reuse != 0 || s.GrantsRevoked != 0 {
		t.Errorf("a refresh token was spent twice: %d, %d", s.Reuse, s.GrantsRevoked)
	}
	if codes[0] == 0 || k.kills == 0 {
		t.Error("nothing was tried")
	}
}

func (k *torture) signIn() {
	k.t.Helper()
	k.victims[0].must("login", "--force", k.world.ServerURL())
	k.logins++
}

// strike kills one machine, the database, or both.
func (k *torture) strike() {
	v := k.refreshing()
	machine, database := rand.IntN(10) < 8, rand.IntN(10) < 3
	v.gate.Lock()
	defer v.gate.Unlock()
	if database {
		k.db.Kill()
		k.crashes++
		<-time.After(rand.N(200 * time.Millisecond))
	}
	if machine {
		for v.kill(); len(v.pids()) > 0; v.kill() {
		}
		k.kills++
	}
	if database {
		k.db.Start()
	}
	if !machine {
		return
	}
	<-time.After(50 * time.Millisecond) // a request that was on its way has been served
	if k.inWindow(v) {
		k.window++
		k.signIn()
	}
}

// refreshing is a machine whose refresh has just begun, mostly; at times any machine. What happens next is a matter of milliseconds.
func (k *torture) refreshing() *victim {
	for end := time.Now().Add(2 * time.Second); rand.IntN(100) > 0 && time.Now().Before(end); {
		for _, v := range k.victims {
			for _, pid := range v.pids() {
				line, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
				if bytes.Contains(line, []byte("\x00refresh\x00")) && bytes.Contains(line, []byte("--apart")) {
					<-time.After(rand.N(60 * time.Millisecond))
					return v
				}
			}
		}
	}
	return k.victims[rand.IntN(len(k.victims))]
}

// inWindow reports whether a machine that was just killed had got a refresh token, and had made it durable nowhere.
func (k *torture) inWindow(v *victim) bool {
	name, _ := os.ReadFile(filepath.Join(v.home, ".mcp-credential", "fleet-machine"))
	row := strings.Split(k.db.SQL("fleet", "select generation, coalesce(spender, '') from mcp_credential_signins"), "|")
	generation, err := strconv.Atoi(row[0])
	if err != nil || len(row) != 2 {
		k.t.Fatalf("the row: %q, %v", row, err)
	}
	if row[1] == "" || row[1] != strings.TrimSpace(string(name)) {
		return false
	}
	if k.world.Stats().TokenOK["refresh_token"]-k.window-k.found == generation-k.logins {
		return false
	}
	if v.parkedAnother() {
		k.found++
		return false
	}
	return true
}

// parkedAnother reports whether a refresh token is parked in the home of a machine that was not there the last time.
func (v *victim) parkedAnother() bool {
	all, _ := filepath.Glob(filepath.Join(v.home, ".mcp-credential", "*", "*", "0000000000000000000[01]"))
	more, _ := filepath.Glob(filepath.Join(v.home, ".mcp-credential", "*", "*0000000000000000000[01]*"))
	for _, path := range append(all, more...) {
		data, err := os.ReadFile(path)
		info, serr := os.Stat(path)
		if err == nil && serr == nil && len(bytes.Trim(atomicfile.PlacedContent(data), "\x00")) > 0 && info.ModTime().After(v.parked) {
			v.parked = info.ModTime()
			return true
		}
	}
	return false
}
