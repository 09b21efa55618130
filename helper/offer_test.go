package helper

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/state"
)

type outcome struct {
	token credential.Token
	err   error
}

// start runs a Get that is not to be waited for longer than its offer is open.
func (r *rig) start(a Ask) <-chan outcome {
	a.Query, a.Prompt, a.Wait = r.query(), true, time.Hour
	ended := make(chan outcome, 1)
	go func() {
		t, err := r.Get(r.t.Context(), a)
		ended <- outcome{t, err}
	}()
	return ended
}

// soon returns what comes through c before the test has lost its patience.
func soon[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	var v T
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatal("it takes too long")
	}
	return v
}

// asking is a rig whose person is asked, which began tells, and signs in or not as answer says; joins tells that a Get
// waits for the offer of another one.
func asking(t *testing.T) (r *rig, began <-chan bool, answer chan<- error, joins <-chan bool) {
	r = newRig(t)
	r.reach = true
	b, a, j := make(chan bool, 8), make(chan error), make(chan bool, 8)
	r.signing = func(ctx context.Context) error {
		b <- true
		select {
		case err := <-a:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	r.Trace = func(text string) {
		if text == "prompt: waiting for the sign-in that another process offers" {
			j <- true
		}
	}
	return r, b, a, j
}

// Whoever joins an offer gets the token that it brings; whoever does not hears at once that there was one.
func TestOfferIsJoined(t *testing.T) {
	r, began, answer, joins := asking(t)
	first := r.start(Ask{Terminal: true, Fleeting: true})
	soon(t, began)
	wantKind(t, soon(t, r.start(Ask{})).err, credential.Prompting)
	second := r.start(Ask{Join: true})
	soon(t, joins)
	answer <- nil
	for _, ended := range []<-chan outcome{first, second} {
		got := soon(t, ended)
		wantAccess(t, got.token, got.err, "access-1")
	}
	if r.signIns != 1 || len(r.launched) != 0 {
		t.Errorf("%d sign-ins, launched %v", r.signIns, r.launched)
	}
}

// Whoever joins an offer that comes to nothing hears why, and the next one that there was an offer a moment ago.
func TestJoinedOfferFails(t *testing.T) {
	for name, a := range map[string]Ask{"shown by a host": {Terminal: true, Fleeting: true}, "at a terminal": {Terminal: true}} {
		t.Run(name, func(t *testing.T) {
			r, began, answer, joins := asking(t)
			first := r.start(a)
			soon(t, began)
			second := r.start(Ask{Join: true})
			soon(t, joins)
			answer <- errNo
			for _, ended := range []<-chan outcome{first, second} {
				wantKind(t, soon(t, ended).err, credential.Refused)
			}
			for _, a := range []Ask{{}, {Join: true}, {Terminal: true, Fleeting: true, Join: true}} {
				err := soon(t, r.start(a)).err
				wantKind(t, err, credential.NotFound)
				if want := "a sign-in for " + testServer + " was offered less than 10m0s ago"; err.Error() != want {
					t.Errorf("%v, want %s", err, want)
				}
			}
			r.now = r.now.Add(credential.PromptRest)
			again := r.start(a)
			soon(t, began)
			answer <- nil
			if got := soon(t, again); got.err != nil {
				t.Error(got.err)
			}
		})
	}
}

// An offer that nobody has seen, or that went with its process, is nobody's last one.
func TestFleetingOfferLeavesNoCooldown(t *testing.T) {
	r := newRig(t)
	r.reach = true
	name := limitOf(r.Helper, r.query()).name
	ctx, cancel := context.WithCancel(t.Context())
	for what, signing := range map[string]func(context.Context) error{
		"not shown": func(context.Context) error { r.unasked = true; return errors.New("not shown") },
		"ended":     func(context.Context) error { cancel(); return ctx.Err() },
	} {
		r.unasked, r.signing = false, signing
		if _, err := r.Get(ctx, Ask{Query: r.query(), Prompt: true, Terminal: true, Fleeting: true}); err == nil {
			t.Fatalf("%s: no error", what)
		}
		if (state.Cooldowns{Records: r.Records}).Active(name, r.now, credential.PromptRest) {
			t.Errorf("%s: a cooldown", what)
		}
		_, failed := state.Notices{Records: r.Records}.TakeFailure(name)
		if ended := what == "ended"; failed == ended {
			t.Errorf("%s: it has left a failure: %v", what, failed)
		}
		ctx, cancel = context.WithCancel(t.Context())
	}
	cancel()
}

// An offer is open until its process ends, however that happens. What the person saw of it then decides what comes next:
// nothing is left of what a host has shown, and the cooldown of everything else.
func TestOfferEndsWithItsProcess(t *testing.T) {
	for _, role := range []string{"fleeting", "terminal", "launched"} {
		t.Run(role, func(t *testing.T) {
			r, began, answer, joins := asking(t)
			if role == "launched" {
				if _, how, err := limitOf(r.Helper, r.query()).claim(t.Context(), Ask{}); how != available || err != nil {
					t.Fatal(how, err)
				}
			}
			o := r.another(role)
			if got := o.says(t); got != "asked" {
				t.Fatal(got)
			}
			ended := r.start(Ask{Join: true, Terminal: true, Fleeting: true})
			soon(t, joins)
			o.kill()
			if role == "fleeting" {
				soon(t, began)
				answer <- nil
				got := soon(t, ended)
				wantAccess(t, got.token, got.err, "access-1")
				return
			}
			wantKind(t, soon(t, ended).err, credential.NotFound)
			if r.signIns != 0 {
				t.Error("a person was asked twice")
			}
		})
	}
}

// From the launch on an offer counts as open: before its process has said a word, while it asks, and for a while when it
// never comes up. Then the caller that waits for it gets what it would have got without an offer.
func TestLaunchedOfferIsOpenFromTheLaunchOn(t *testing.T) {
	r, began, answer, _ := asking(t)
	b := limitOf(r.Helper, r.query())
	launches := make(chan bool, 8)
	r.Launch = func(...string) error { launches <- b.busy(t.Context()); return nil }
	first := r.start(Ask{})
	if open := soon(t, launches); !open || !b.busy(t.Context()) {
		t.Error("nothing is open after the launch")
	}
	ended := make(chan error, 1)
	go func() { ended <- r.Offer(t.Context(), Login{URL: testServer}) }()
	soon(t, began)
	if !b.busy(t.Context()) || (state.Cooldowns{Records: r.Records}).Active(startMark(b.name), r.now, time.Hour) {
		t.Error("the lock has not taken the place of the mark")
	}
	wantKind(t, r.Offer(t.Context(), Login{URL: testServer}), credential.StillRefreshing) // a second process, however it came up
	answer <- errNo
	if err := soon(t, ended); !errors.Is(err, errNo) {
		t.Error(err)
	}
	wantKind(t, soon(t, first).err, credential.Refused)
	if r.signIns != 1 || b.busy(t.Context()) {
		t.Errorf("%d sign-ins; open after the end: %v", r.signIns, b.busy(t.Context()))
	}
}

func TestLaunchedOfferThatNeverComesUp(t *testing.T) {
	r := newRig(t)
	r.reach = true
	b := limitOf(r.Helper, r.query())
	r.Launch = func(...string) error { r.now = r.now.Add(credential.OfferStart); return nil }
	wantKind(t, soon(t, r.start(Ask{})).err, credential.NotFound)
	wantKind(t, soon(t, r.start(Ask{Join: true})).err, credential.NotFound)
	r.now = r.now.Add(credential.PromptRest)
	r.Launch = func(...string) error { return errors.New("no processes left") }
	wantKind(t, soon(t, r.start(Ask{})).err, credential.Internal)
	if b.busy(t.Context()) || (state.Cooldowns{Records: r.Records}).Active(b.name, r.now, credential.PromptRest) {
		t.Error("an offer that could not be launched has used up the offerLimit")
	}
}

// A person who has signed in between the question and the claim is not asked again.
func TestSignInBeforeTheClaim(t *testing.T) {
	r := newRig(t)
	s, cause := r.resolve(r.query())
	r.login(Login{})
	r.reach = true
	for _, a := range []Ask{{}, {Terminal: true}, {Terminal: true, Fleeting: true}} {
		a.Query, a.Prompt = r.query(), true
		got, err := offers{r.Helper}.offer(t.Context(), s, a, cause)
		wantAccess(t, got, err, "access-1")
		if b := limitOf(r.Helper, a.Query); b.busy(t.Context()) || (state.Cooldowns{Records: r.Records}).Active(b.name, r.now, credential.PromptRest) {
			t.Errorf("%+v: the right was not given back", a)
		}
	}
	if r.signIns != 1 || len(r.launched) != 0 {
		t.Errorf("%d sign-ins, launched %v", r.signIns, r.launched)
	}
}

// Of many processes that want to ask at once one may.
func TestOneProcessClaims(t *testing.T) {
	for _, role := range []string{"claim here", "claim launched"} {
		r := newRig(t)
		var all []*other
		for range 6 {
			all = append(all, r.another(role))
		}
		got := map[string]int{}
		for _, o := range all {
			got[o.says(t)]++
		}
		if one, rest := got[strconv.Itoa(int(available))], got[strconv.Itoa(int(open))]; one != 1 || rest != len(all)-1 {
			t.Errorf("%s: %d claimed, %d saw one open", role, one, rest)
		}
	}
}
