package bridge

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// kept is a keeper without a bridge, on a clock that stands still.
func kept(t *testing.T, v *vault) (*keeper, *clock, *atomic.Int32) {
	at, arrivals := &clock{at: time.Now()}, &atomic.Int32{}
	p := &pump{life: t.Context(), Config: Config{Tokens: v, Now: at.now, Patience: time.Millisecond}}
	p.door = &door{p: p}
	p.Log = func(string) {}
	k := newKeeper(p)
	k.arrived = func(bool) { arrivals.Add(1) }
	return k, at, arrivals
}

// due is a token inside its window.
func due(text string, now time.Time) credential.Token {
	return credential.Token{Access: credential.NewSecret(text), Obtained: now.Add(-time.Hour), Expiry: now.Add(time.Hour), RefreshAt: now.Add(-time.Minute)}
}

// look is one turn of mind; it waits for what was asked in the background.
func look(t *testing.T, k *keeper) time.Duration {
	t.Helper()
	k.glance(t.Context())
	k.mu.Lock()
	f := k.flights[""]
	k.mu.Unlock()
	if f != nil {
		<-f.done
	}
	return k.pace()
}

// While a refresh brings nothing the looks for it become rare, and quick again with the next token.
func TestPaceInTheWindow(t *testing.T) {
	var at *clock
	text := "t"
	v := &vault{give: func(Need, int) (credential.Token, error) { return due(text, at.now()), nil }}
	k, at, _ := kept(t, v)
	look(t, k)
	slow := []time.Duration{250, 500, 1000, 2000, 4000, 8000, 16000, 20000, 20000}
	for i, want := range slow {
		if got := look(t, k); got != want*time.Millisecond {
			t.Fatalf("look %d rests %s", i, got)
		}
		asked := v.asked()
		if look(t, k); v.asked() != asked {
			t.Fatalf("look %d does not rest", i)
		}
		at.add(want * time.Millisecond)
	}
	text = "new"
	look(t, k)
	if got := look(t, k); got != lookRest {
		t.Errorf("after a new token it rests %s", got)
	}
}

// While no token is known to be needed one is asked for each second, however long that goes on: somebody may sign in.
func TestPaceWithoutToken(t *testing.T) {
	v := &vault{give: func(Need, int) (credential.Token, error) {
		return credential.Token{}, credential.Fail(credential.NotFound, "unknown", nil)
	}}
	k, at, _ := kept(t, v)
	for i := range 10 {
		for range 2 {
			if held, err := k.token(t.Context()); !held.Access.IsZero() || err != nil {
				t.Fatalf("%v %v", held, err)
			}
			if v.asked() != i+1 {
				t.Fatalf("asked %d times in second %d", v.asked(), i)
			}
			at.add(freeRest / 2)
		}
	}
}

// A token that has expired for good is asked for rarely too.
func TestPaceAfterTheEnd(t *testing.T) {
	k, at, _ := kept(t, &vault{give: func(Need, int) (credential.Token, error) {
		return credential.Token{}, credential.Fail(credential.SignInDead, "dead", nil)
	}})
	var got time.Duration
	for range 8 {
		got = look(t, k)
		at.add(got)
	}
	if got != mindRest {
		t.Errorf("it rests %s", got)
	}
}

// What other processes have done is taken over though no new token is due; trouble on the way to it changes nothing.
func TestGlance(t *testing.T) {
	var answer func() (credential.Token, error)
	v := &vault{give: func(Need, int) (credential.Token, error) { return answer() }}
	k, _, arrivals := kept(t, v)
	is := func(text string) func() (credential.Token, error) {
		return func() (credential.Token, error) { return good(text), nil }
	}
	fails := func(kind credential.Kind) func() (credential.Token, error) {
		return func() (credential.Token, error) { return credential.Token{}, credential.Fail(kind, "no", nil) }
	}
	older := good("older")
	older.Obtained = older.Obtained.Add(-time.Minute)
	for i, c := range []struct {
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
		answer = c.answer
		k.mu.Lock()
		k.look = time.Time{}
		k.mu.Unlock()
		if look(t, k); k.held.Access.Reveal() != c.held {
			t.Errorf("%d: it holds %s, want %s", i, k.held.Access.Reveal(), c.held)
		}
	}
	if got := arrivals.Load(); got != 5 {
		t.Errorf("%d tokens arrived", got)
	}
}

// Where every question costs a new token, because none can be kept, the looks become rare.
func TestGlanceAtTokensThatAreNotKept(t *testing.T) {
	k, _, _ := kept(t, &vault{give: func(_ Need, ask int) (credential.Token, error) { return good(fmt.Sprint(ask)), nil }})
	for range 7 {
		look(t, k)
	}
	if got := k.pace(); got != calmMost {
		t.Errorf("it rests %s", got)
	}
}

// A cache that has not got the new token yet does not bring back the refused one.
func TestRefusedTokenStaysAway(t *testing.T) {
	v := &vault{give: func(n Need, _ int) (credential.Token, error) {
		if n.Refused.IsZero() {
			return good("old"), nil
		}
		return good("new"), nil
	}}
	k, _, _ := kept(t, v)
	look(t, k)
	if _, err := k.replace(context.Background(), Need{Refused: credential.NewSecret("old"), Challenge: "Bearer"}); err != nil {
		t.Fatal(err)
	}
	if look(t, k); k.held.Access.Reveal() != "new" {
		t.Errorf("it holds %s", k.held.Access.Reveal())
	}
}

// After a logout elsewhere no request carries the token of the sign-in that is gone.
func TestSignedOutElsewhere(t *testing.T) {
	f := serve(t, nil)
	var out atomic.Bool
	v := &vault{give: func(Need, int) (credential.Token, error) {
		if out.Load() {
			return credential.Token{}, credential.Fail(credential.NotFound, "nobody has signed in", nil)
		}
		return due("t", time.Now()), nil
	}}
	r := run(t, Config{URL: f.url(), Tokens: v, Name: "test"})
	r.send(call1("1", "x"))
	r.want(result("1", "ok"))
	out.Store(true)
	calls := 1
	eventually(t, "a call without the token", func() bool {
		calls++
		r.send(call1(fmt.Sprint(calls), "x"))
		r.want(result(fmt.Sprint(calls), "ok"))
		all := f.arrivals("POST tools/call")
		return all[len(all)-1].header.Get("Authorization") == ""
	})
	for i := range 20 {
		r.send(call1(fmt.Sprint(calls+i), "x"))
		r.want(result(fmt.Sprint(calls+i), "ok"))
	}
	for _, a := range f.arrivals("POST tools/call")[calls-1:] {
		if got := a.header.Get("Authorization"); got != "" {
			t.Fatalf("a call carries %s", got)
		}
	}
}
