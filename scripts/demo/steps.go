package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
	"github.com/mcp-credential/mcp-credential/internal/wait"
)

// steps is the story, in order.
var steps = []struct {
	title string
	show  func(*stage) error
}{
	{"Sign in once. A program that agrees to everything plays the browser.", (*stage).signIn},
	{"Get a token, and use it for a call of an MCP tool.", (*stage).use},
	{"A warm get: the answer is in the cache, no daemon, no network.", (*stage).warm},
	{"The token expires. The next get refreshes it in silence.", (*stage).refresh},
	{"It expires again, and 20 processes want it at once. One of them refreshes.", (*stage).race},
	{"A token is refused before its time. The host gives it back and asks again.", (*stage).refused},
	{"What the product knows. There is no secret in it.", (*stage).status},
	{"Sign out. The refresh token is revoked at the server.", (*stage).signOut},
}

func (st *stage) signIn() error {
	r, err := st.run(0, "login", st.url)
	if err != nil {
		return err
	}
	s := st.world.Stats()
	if s.Authorizations != 1 || s.TokenOK["authorization_code"] != 1 {
		return fmt.Errorf("%d sign-ins in the browser and %d codes redeemed", s.Authorizations, s.TokenOK["authorization_code"])
	}
	st.proven("signed in, without a person", ms(r.took))
	return nil
}

func (st *stage) use() error {
	if _, err := st.get(); err != nil {
		return err
	}
	return st.call("the MCP server accepts it: tools/call echo")
}

// get shows a get and remembers its token and expiry.
func (st *stage) get() (result, error) {
	r, err := st.run(0, "get", st.url)
	if err != nil {
		return r, err
	}
	st.token = strings.TrimSpace(r.out)
	more, err := st.start("", "get", "--output", "json", st.url)()
	if err != nil {
		return r, err
	}
	var answer struct {
		Token  string    `json:"access_token"`
		Expiry time.Time `json:"expires_at"`
	}
	if err := json.Unmarshal([]byte(more.out), &answer); err != nil {
		return r, err
	}
	if answer.Token != st.token {
		return r, errors.New("two gets gave two tokens")
	}
	st.expiry = answer.Expiry
	return r, nil
}

// call proves that the server accepts the token.
func (st *stage) call(text string) error {
	const hello = "hello"
	began := time.Now()
	got, err := echo(st.ctx, st.url, st.token, hello)
	if err != nil {
		return fmt.Errorf("the MCP call: %w", err)
	}
	if got != hello {
		return fmt.Errorf("the tool gave back %q", got)
	}
	st.proven(text, ms(time.Since(began)))
	return nil
}

// warmRuns is how many warm gets are timed; they take a fraction of the token's life.
const warmRuns = 21

func (st *stage) warm() error {
	before := requests(st.world)
	st.command("mcp-credential get " + st.url)
	var times []time.Duration
	for range warmRuns {
		r, err := st.start("", "get", st.url)()
		if err != nil {
			return err
		}
		if r.code != 0 || strings.TrimSpace(r.out) != st.token {
			return fmt.Errorf("a warm get ended with %d and %q", r.code, r.out+r.err)
		}
		times = append(times, r.took)
	}
	st.output(st.token)
	if n := requests(st.world) - before; n != 0 {
		return fmt.Errorf("%d requests were made", n)
	}
	slices.Sort(times)
	st.proven(fmt.Sprintf("no request; whole process, median of %d", warmRuns), ms(times[warmRuns/2]))
	return nil
}

func requests(w *fakeworld.World) int {
	n := 0
	for _, count := range w.Stats().HTTP {
		n += count
	}
	return n
}

// expire waits until the token's time is over; expires_at leaves out the fraction of the second.
func (st *stage) expire() error {
	left := time.Until(st.expiry.Add(time.Second))
	if left > 0 {
		st.note(fmt.Sprintf("%.1f s until it expires", left.Seconds()))
	}
	return wait.Sleep(st.ctx, left)
}

func (st *stage) refresh() error {
	if err := st.expire(); err != nil {
		return err
	}
	old, before := st.token, requests(st.world)
	r, err := st.get()
	if err != nil {
		return err
	}
	if n := requests(st.world) - before; n != 1 || st.token == old {
		return fmt.Errorf("%d requests for a refresh, or the token is the old one", n)
	}
	st.proven("a new token, one request", ms(r.took))
	return st.call("the MCP server accepts it")
}

// racers is how many processes ask at once.
const racers = 20

func (st *stage) race() error {
	if err := st.expire(); err != nil {
		return err
	}
	old, before := st.token, st.world.Stats().Token["refresh_token"]
	st.command(fmt.Sprintf("for i in $(seq %d); do mcp-credential get %s & done; wait", racers, st.url))
	began := time.Now()
	var waits []func() (result, error)
	for range racers {
		waits = append(waits, st.start("", "get", st.url))
	}
	answers := map[string]int{}
	for _, wait := range waits {
		r, err := wait()
		if err != nil {
			return err
		}
		if r.code != 0 {
			return fmt.Errorf("one ended with %d: %s", r.code, r.err)
		}
		answers[strings.TrimSpace(r.out)]++
	}
	took := time.Since(began)
	for token, n := range answers {
		st.output(fmt.Sprintf("%s  (%d times)", token, n))
		st.token = token
	}
	if n := st.world.Stats().Token["refresh_token"] - before; n != 1 || len(answers) != 1 || st.token == old {
		return fmt.Errorf("%d token requests, %d different answers", n, len(answers))
	}
	st.proven("one token request, 20 answers", ms(took))
	return st.call("the MCP server accepts it")
}

func (st *stage) refused() error {
	st.world.ExpireAccess()
	st.note("the server forgets every access token")
	if _, err := echo(st.ctx, st.url, st.token, "hello"); !errors.Is(err, errRefused) {
		return fmt.Errorf("the MCP call was not refused: %w", err)
	}
	st.proven("the MCP server answers "+errRefused.Error(), "")
	old := st.token
	if _, err := st.pipe(fmt.Sprintf(`{"url":"%s","access_token":"%s"}`, st.url, old), "erase"); err != nil {
		return err
	}
	r, err := st.get()
	if err != nil {
		return err
	}
	if st.token == old {
		return errors.New("the refused token came back")
	}
	st.proven("another token", ms(r.took))
	return st.call("the MCP server accepts it")
}

func (st *stage) status() error {
	r, err := st.run(0, "status")
	if err != nil {
		return err
	}
	if !strings.Contains(r.out, st.url) {
		return errors.New("the server is not listed")
	}
	for _, secret := range st.world.Secrets() {
		if strings.Contains(r.out+r.err, secret) {
			return errors.New("a secret is shown")
		}
	}
	return nil
}

func (st *stage) signOut() error {
	if _, err := st.run(0, "logout", st.url); err != nil {
		return err
	}
	if n := st.world.Stats().Revocations; n == 0 {
		return errors.New("nothing was revoked")
	}
	r, err := st.run(3, "get", "--prompt", "never", st.url)
	if err != nil {
		return err
	}
	if r.out != "" {
		return errors.New("there still is a token")
	}
	st.proven("revoked; exit code 3: a person has to sign in", "")
	return nil
}
