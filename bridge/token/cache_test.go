package token

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/discovery"
	"github.com/mcp-credential/mcp-credential/internal/testsupport"
)

// answers is a Source: a function of what is needed and of how many questions there have been.
type answers struct {
	count atomic.Int32
	give  func(n Need, count int) (credential.Token, error)
}

func (a *answers) Token(_ context.Context, n Need) (credential.Token, error) {
	return a.give(n, int(a.count.Add(1)))
}

func (a *answers) asked() int { return int(a.count.Load()) }

// newCache returns a Cache of a, on a clock that stands still, and the tokens that have arrived, by their number.
func newCache(t *testing.T, a *answers) (*Cache, *testsupport.Clock, chan bool) {
	at, arrived := testsupport.NewClock(), make(chan bool, 100)
	return NewCache(t.Context(), Config{
		Source: a, Now: at.Now, Retry: time.Millisecond, Arrived: func(replaced bool) { arrived <- replaced }, Last: func(credential.Token) {},
	}), at, arrived
}

func good(text string) credential.Token {
	now := time.Now()
	return credential.Token{Access: credential.NewSecret(text), Obtained: now, Expiry: now.Add(time.Hour), RefreshAt: now.Add(48 * time.Minute)}
}

// due is a token inside its window.
func due(text string, now time.Time) credential.Token {
	return credential.Token{Access: credential.NewSecret(text), Obtained: now.Add(-time.Hour), Expiry: now.Add(time.Hour), RefreshAt: now.Add(-time.Minute)}
}

// poll is Poll; it waits for what was asked in the background too.
func poll(t *testing.T, c *Cache) time.Duration {
	t.Helper()
	c.Poll(t.Context())
	synctest.Wait()
	return c.next()
}

// While a refresh brings nothing the looks for it become rare, and quick again with the next token.
func TestPaceInTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at *testsupport.Clock
		text := "t"
		v := &answers{give: func(Need, int) (credential.Token, error) { return due(text, at.Now()), nil }}
		c, at, _ := newCache(t, v)
		poll(t, c)
		slow := []time.Duration{250, 500, 1000, 2000, 4000, 8000, 16000, 20000, 20000}
		for i, want := range slow {
			if got := poll(t, c); got != want*time.Millisecond {
				t.Fatalf("look %d rests %s", i, got)
			}
			asked := v.asked()
			if poll(t, c); v.asked() != asked {
				t.Fatalf("look %d does not rest", i)
			}
			at.Advance(want * time.Millisecond)
		}
		text = "new"
		poll(t, c)
		if got := poll(t, c); got != backoffLeast {
			t.Errorf("after a new token it rests %s", got)
		}
	})
}

// While no token is known to be needed one is asked for each second, however long that goes on: somebody may sign in.
func TestPaceWithoutToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &answers{give: func(Need, int) (credential.Token, error) {
			return credential.Token{}, credential.Fail(credential.NotFound, "unknown", nil)
		}}
		c, at, _ := newCache(t, v)
		for i := range 10 {
			for range 2 {
				if held, err := c.Token(t.Context()); !held.Access.IsZero() || err != nil {
					t.Fatalf("%v %v", held, err)
				}
				if v.asked() != i+1 {
					t.Fatalf("asked %d times in second %d", v.asked(), i)
				}
				at.Advance(unneededPause / 2)
			}
		}
	})
}

// A token that has expired for good is asked for rarely too.
func TestPaceAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, at, _ := newCache(t, &answers{give: func(Need, int) (credential.Token, error) {
			return credential.Token{}, credential.Fail(credential.SignInDead, "dead", nil)
		}})
		var got time.Duration
		for range 8 {
			got = poll(t, c)
			at.Advance(got)
		}
		if got != intervalLeast {
			t.Errorf("it rests %s", got)
		}
	})
}

// What other processes have done is taken over though no new token is due; trouble on the way to it changes nothing.
func TestPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var answer func() (credential.Token, error)
		v := &answers{give: func(Need, int) (credential.Token, error) { return answer() }}
		c, _, arrived := newCache(t, v)
		is := func(text string) func() (credential.Token, error) {
			return func() (credential.Token, error) { return good(text), nil }
		}
		fails := func(kind credential.Kind) func() (credential.Token, error) {
			return func() (credential.Token, error) { return credential.Token{}, credential.Fail(kind, "no", nil) }
		}
		older := good("older")
		older.Obtained = older.Obtained.Add(-time.Minute)
		for i, step := range []struct {
			answer func() (credential.Token, error)
			held   string
		}{
			{is("mine"), "mine"},
			{is("yours"), "yours"},
			{fails(credential.Network), "yours"},
			{fails(credential.Throttled), "yours"},
			{fails(credential.StillRefreshing), "yours"},
			{fails(credential.SignInDead), "yours"},
			{fails(credential.KeychainLocked), "yours"},
			{func() (credential.Token, error) { return credential.Token{}, errors.New("unknown") }, "yours"},
			{func() (credential.Token, error) { return older, nil }, "older"},
			{fails(credential.NotFound), ""},
			{is("again"), "again"},
			{fails(credential.NoSignIn), ""},
			{is("again"), "again"},
			{fails(credential.NotApproved), ""},
		} {
			answer = step.answer
			c.mu.Lock()
			c.notBefore = time.Time{}
			c.mu.Unlock()
			if poll(t, c); c.current.Access.Reveal() != step.held {
				t.Errorf("%d: it holds %s, want %s", i, c.current.Access.Reveal(), step.held)
			}
		}
		if got := len(arrived); got != 5 {
			t.Errorf("%d tokens arrived", got)
		}
	})
}

// Where every question costs a new token, because none can be kept, the looks become rare.
func TestPollAtTokensThatAreNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, _ := newCache(t, &answers{give: func(_ Need, ask int) (credential.Token, error) { return good(fmt.Sprint(ask)), nil }})
		for range 7 {
			poll(t, c)
		}
		if got := c.next(); got != intervalMost {
			t.Errorf("it rests %s", got)
		}
	})
}

// A cache that has not got the new token yet does not bring back the refused one.
func TestRefusedTokenStaysAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &answers{give: func(n Need, _ int) (credential.Token, error) {
			if n.Refused.IsZero() {
				return good("old"), nil
			}
			return good("new"), nil
		}}
		c, _, _ := newCache(t, v)
		poll(t, c)
		if _, err := c.Replace(t.Context(), Need{Refused: credential.NewSecret("old"), Challenge: discovery.Challenge{Scheme: "bearer"}}); err != nil {
			t.Fatal(err)
		}
		if poll(t, c); c.current.Access.Reveal() != "new" {
			t.Errorf("it holds %s", c.current.Access.Reveal())
		}
	})
}
