//go:build hosts && linux

package hosts

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// total bounds one run of a host.
const total = 2 * time.Minute

// task is what the model of one run is after: so many calls of echo that work. It calls the sign-in tool where that is all
// there is, or where a call has failed and it is there.
type task struct {
	calls   int
	before  func(call int) // ahead of each call of echo, the first is 1
	invited func(time int) // ahead of each call of the sign-in tool

	mu      sync.Mutex
	called  int
	invites int
	ended   bool
}

// maxTurns bounds how often the model asks in vain.
const maxTurns = 10

func (k *task) decide(in turn) answer {
	k.mu.Lock()
	defer k.mu.Unlock()
	echo, signIn := echoOf(in.tools)
	worked := 0
	for _, r := range in.results {
		if strings.Contains(r, "echo-") && !strings.Contains(r, "rror") {
			worked++
		}
	}
	switch {
	case worked >= k.calls:
		k.ended = true
		return answer{text: "done"}
	case k.called+k.invites >= maxTurns:
		return answer{text: "given up"}
	case signIn != "" && (echo == "" || k.called > worked && k.invites == 0):
		k.invites++
		if k.invited != nil {
			k.invited(k.invites)
		}
		return answer{tool: signIn, args: map[string]string{}}
	case echo == "":
		return answer{text: "there is no tool"}
	}
	k.called++
	if k.before != nil {
		k.before(k.called)
	}
	return answer{tool: echo, args: map[string]string{"text": "echo-" + strconv.Itoa(k.called)}}
}

// drive runs a host until its model is done, and returns how long the model waited for the first request.
func drive(t *testing.T, h host, p *place, k *task) time.Duration {
	t.Helper()
	m := startModel(t, k.decide)
	ctx, cancel := context.WithTimeout(t.Context(), total)
	defer cancel()
	c := h.run(ctx, p, m)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	began := time.Now()
	err := c.Run()
	if !k.ended || err != nil {
		t.Errorf("%s %s ended with %v after %s: %d calls, for %d that work, and %d of the sign-in tool\n%s\n%s\n%s",
			h.name, h.version(), err, time.Since(began).Round(time.Millisecond), k.called, k.calls, k.invites, tail(out.String()), m.said(), tail(p.logs()))
	}
	return m.began().Sub(began)
}

// tail is the end of a long text.
func tail(text string) string { return text[max(0, len(text)-4000):] }

// logs is what the host has written to its own log, where it has one.
func (p *place) logs() string {
	var out strings.Builder
	files, _ := filepath.Glob(p.path("log/*"))
	for _, f := range files {
		data, _ := os.ReadFile(f)
		out.Write(data)
	}
	return out.String()
}

// spaced waits between calls for as long as an access token lives.
func spaced(call int) {
	if call > 1 {
		<-time.After(between)
	}
}

// each runs a test for each host by the bridge, and by the token command where it has one and that is said to do.
func each(t *testing.T, byToken bool, test func(t *testing.T, h host, p *place)) {
	for _, h := range hosts {
		ways := map[string][]string{"bridge": nil}
		if byToken && h.token {
			ways["token command"] = []string{"--token-command"}
		}
		for way, flags := range ways {
			t.Run(h.name+" by "+way, func(t *testing.T) {
				t.Parallel()
				p := newPlace(t)
				h.wire(p, flags...)
				test(t, h, p)
			})
		}
	}
}

// Four calls over three expiries of the access token.
func TestSignedIn(t *testing.T) {
	each(t, true, func(t *testing.T, h host, p *place) {
		p.login()
		drive(t, h, p, &task{calls: 4, before: spaced})
	})
}

// A host that starts with nobody signed in has the tools in the same session, once somebody has signed in elsewhere. By the
// token command none does: docs/hosts.md.
func TestNobodySignedIn(t *testing.T) {
	each(t, false, func(t *testing.T, h host, p *place) {
		drive(t, h, p, &task{calls: 1, invited: func(time int) {
			if time == 2 {
				go p.login()
			}
		}})
	})
}

// A sign-in that dies in the middle is renewed there. By the token command none of these does: docs/hosts.md.
func TestSignInDies(t *testing.T) {
	each(t, false, func(t *testing.T, h host, p *place) {
		p.login()
		renew := sync.OnceFunc(p.login)
		drive(t, h, p, &task{calls: 3, invited: func(int) { renew() }, before: func(call int) {
			spaced(call)
			switch call {
			case 2:
				p.world.RevokeAll()
			case 3:
				renew() // where the host did not list the tool
			}
		}})
	})
}

// The server restarts in the middle.
func TestServerRestarts(t *testing.T) {
	each(t, true, func(t *testing.T, h host, p *place) {
		p.login()
		drive(t, h, p, &task{calls: 3, before: func(call int) {
			switch call {
			case 1:
			case 2:
				p.restart()
			default: // a model takes its time too
				<-time.After(downTime / 2)
			}
		}})
	})
}

// slower is by how much a host may start later with a server that nobody has signed in to than without one, and pairs how
// often that is tried: other programs have their share of this machine.
const (
	slower = time.Second
	pairs  = 3
)

// A host with a server that nobody has signed in to starts as soon as without one, give or take the time that the bridge
// gives the server.
func TestStart(t *testing.T) {
	for _, h := range hosts {
		t.Run(h.name, func(t *testing.T) {
			var late time.Duration
			for range pairs {
				p := newPlace(t)
				h.configure(p, object{})
				drive(t, h, p, &task{}) // what a host does only once in a home
				without := drive(t, h, p, &task{})
				h.wire(p)
				with := drive(t, h, p, &task{})
				if late = with - without; late <= slower {
					t.Logf("%s without the server, %s with it", without.Round(time.Millisecond), with.Round(time.Millisecond))
					return
				}
			}
			t.Errorf("it starts %s later with the server", late)
		})
	}
}
