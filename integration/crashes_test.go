//go:build integration && linux

package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// The steps at which a build with the tag "faults" can be killed: each is what a trace begins with.
var (
	stepsBefore = []string{"refresh: locked", "refresh: one token request"}
	stepLost    = "refresh: answered with another refresh token" // the only one that may cost the sign-in
	stepDurable = "the rotated refresh token is durable"
	stepsAfter  = []string{stepDurable, "keychain: the rotated refresh token is stored", "keychain: nothing is parked any more",
		"refresh: the access token is cached", "refresh: recorded"}
	stepsLogin  = []string{"sign-in: in the keychain", "sign-in: recorded", "sign-in: approved"}
	stepsLogout = []string{"logout: the tokens are gone", "logout: the keychain's item is gone", "logout: the record is gone"}
)

// mishap is one way for a refresh to go wrong, or for none.
type mishap struct {
	name  string
	plan  string        // for the faulty build
	env   string        // "NAME=value" beside it
	after time.Duration // it is killed so long after its start; 0: it is not
	cut   bool          // the server breaks off its answer
	lost  bool          // it costs the sign-in, always
}

func killedAt(step string) mishap {
	return mishap{name: "killed at " + step, plan: plan(step, 1, "kill"), lost: step == stepLost}
}

func plan(at string, n int, do string) string {
	text, _ := json.Marshal(map[string]any{"faults": []map[string]any{{"at": at, "n": n, "do": do}}})
	return string(text)
}

// everyMishap is each of them once.
func everyMishap(bus bool) []mishap {
	all := []mishap{
		{name: "nothing"},
		{name: "the keychain cannot be read", plan: plan("keychain get", 1, "fail")},
		{name: "the keychain takes nothing", plan: plan("keychain set", 1, "fail")},
		{name: "the keychain hangs", plan: plan("keychain set", 1, "hang")},
		{name: "the clock is two hours ahead", plan: `{"clock": "2h"}`},
		{name: "the clock is two hours behind", plan: `{"clock": "-2h"}`},
		{name: "the answer is cut off", cut: true, lost: true},
	}
	if bus {
		all = append(all, mishap{name: "there is no session bus", env: "DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent"})
	}
	for _, step := range slices.Concat(stepsBefore, []string{stepLost}, stepsAfter) {
		all = append(all, killedAt(step))
	}
	return all
}

// anyMishap is one at random; most are kills.
func anyMishap(bus bool) mishap {
	steps := slices.Concat(stepsBefore, stepsAfter)
	switch n := rand.IntN(100); {
	case n < 40:
		return mishap{name: "nothing"}
	case n < 60:
		return killedAt(steps[rand.IntN(len(steps))])
	case n < 85:
		return mishap{name: "killed at a random moment", after: rand.N(60 * time.Millisecond)}
	case n < 92:
		return mishap{name: "the keychain takes nothing", plan: plan("keychain set", 1, "fail")}
	case n < 93:
		return killedAt(stepLost)
	}
	all := everyMishap(bus)
	m := all[rand.IntN(len(all))]
	if m.name == "the keychain hangs" { // four seconds
		return mishap{name: "nothing"}
	}
	return m
}

// crash is an account whose refreshes go wrong, and the count of what came of that.
type crash struct {
	t     *testing.T
	u     *user
	p     *provider
	token string
	seen  map[string]int

	refreshes, kills, window, unfair int
}

// TestTortureCrashes has refreshes go wrong in every way, on each keychain, at a real authorization server that revokes the
// grant when a refresh token is used twice. After each the next refresh must bring a token. The sign-in may be lost only where
// the process had the server's answer, or was about to, and had not made it durable.
func TestTortureCrashes(t *testing.T) {
	for name, place := range places() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cr := &crash{t: t, u: place.user(t), p: startProvider(t, "--access-ttl", "3600"), seen: map[string]int{}}
			cr.signIn()
			bus := name == "gnome-keyring"
			for _, m := range everyMishap(bus) {
				cr.suffer(m)
			}
			cr.signsInAndOut()
			for end := time.Now().Add(tortureLength(t, 10*time.Second)); time.Now().Before(end) && !t.Failed(); {
				cr.suffer(anyMishap(bus))
			}
			s := cr.p.stats()
			t.Logf("%d refreshes, %d granted by the server, %d processes killed; sign-ins lost: %d in the window, %d outside of it; %v",
				cr.refreshes, s.TokenOK["refresh_token"], cr.kills, cr.window, cr.unfair, cr.seen)
		})
	}
}

// signIn signs in anew, and notes the token.
func (cr *crash) signIn() {
	cr.t.Helper()
	cr.insist("login", cr.p.Server)
	cr.token = cr.insist("get", "--prompt", "never", cr.p.Server)
}

// insist is user.must for a machine with too much to do, on which a keychain does not answer in time.
func (cr *crash) insist(args ...string) string {
	cr.t.Helper()
	var r result
	eventually(cr.t, args[0]+" does not end with 4 or 6", programLimit, func() bool {
		r = cr.u.run(args...)
		return r.code != 4 && r.code != 6
	})
	if r.code != 0 {
		cr.t.Fatalf("%v ended with %d:\n%s", args, r.code, r.stderr)
	}
	return strings.TrimSuffix(r.stdout, "\n")
}

// suffer has one refresh go wrong, then wants the next one to bring another token.
func (cr *crash) suffer(m mishap) {
	cr.t.Helper()
	cr.seen[m.name]++
	spent := cr.p.granted()
	if m.cut {
		cr.p.control(`{"cut_answers": true}`)
	}
	trace := cr.refresh(m)
	if m.cut {
		cr.p.control(`{"cut_answers": false}`)
	}
	began := time.Now()
	var r result
	eventually(cr.t, "the pause after a failure ends", programLimit, func() bool {
		r = cr.u.finish(cr.core("mcp-credential-core", ""))
		return !strings.Contains(r.stderr, "refresh: not before") && r.code != 6 // a keychain does not answer where there is too much to do
	})
	if took := time.Since(began); took > 45*time.Second { // that a refresh waits for a lock
		cr.t.Errorf("%s: the next refresh took %v", m.name, took)
	}
	cr.refreshes++
	durable := strings.Contains(trace, stepDurable)
	switch asked := strings.Contains(trace, "refresh: one token request"); {
	case r.code == 0 && !m.lost:
	case r.code == 3 && (m.lost || m.after > 0 && asked && !durable && cr.p.granted() > spent):
		cr.window++
		cr.signIn()
		return
	default:
		cr.unfair++
		cr.t.Errorf("%s (%v): the next refresh ended with %d: %s\nthis one had said:\n%s", m.name, m.after, r.code, r.stderr, trace)
		cr.signIn()
		return
	}
	token := cr.insist("get", "--prompt", "never", cr.p.Server)
	if token == cr.token {
		cr.t.Errorf("%s: the refused token is served again", m.name)
	}
	cr.token = token
	if cr.refreshes%10 == 0 {
		mustAccept(cr.t, cr.p.Server, token)
		cr.u.line(cr.p.Server)
	}
}

// core is a command that refreshes the sign-in in the foreground, because the server has refused the token.
func (cr *crash) core(program, faults string) *exec.Cmd {
	c := cr.u.command(bin(program), "refresh", cr.p.Server, "--apart", "--verbose", "--refused="+credential.NewSecret(cr.token).Fingerprint(), "--home="+cr.u.dir())
	c.Env = append(c.Env, "FAULTS="+faults)
	return c
}

// refresh refreshes with a mishap, and returns what the process has said until its end.
func (cr *crash) refresh(m mishap) string {
	cr.t.Helper()
	var words bytes.Buffer
	c := cr.core("faulty/mcp-credential-core", m.plan)
	c.Env, c.Stderr = append(c.Env, m.env), &words
	if err := c.Start(); err != nil {
		cr.t.Fatal(err)
	}
	cr.refreshes++
	if m.after > 0 {
		timer := time.AfterFunc(m.after, func() { _ = c.Process.Kill() })
		defer timer.Stop()
	}
	err := c.Wait()
	killed := signalled(c)
	if killed {
		cr.kills++
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || strings.HasPrefix(m.name, "killed at ") && m.after == 0 && !killed {
		cr.t.Errorf("%s: it ended with %v\n%s", m.name, err, words.String())
	}
	return words.String()
}

// signsInAndOut kills logins and logouts at each of their steps: the next one puts everything right.
func (cr *crash) signsInAndOut() {
	cr.t.Helper()
	for _, step := range stepsLogin {
		cr.killed(step, "login")
		cr.signIn()
	}
	for _, step := range stepsLogout {
		cr.killed(step, "logout")
		cr.u.must("logout", cr.p.Server)
		cr.u.refused(cr.u.run("get", "--prompt", "never", cr.p.Server), 3)
		cr.signIn()
	}
	if n := len(cr.u.status()); n != 1 {
		cr.t.Errorf("status knows %d accounts", n)
	}
}

// killed runs a command that is killed at a step; a login makes a sign-in of its own.
func (cr *crash) killed(step, verb string) {
	cr.t.Helper()
	if verb == "login" {
		cr.u.must("logout", cr.p.Server)
	}
	c := cr.u.command(bin("faulty/mcp-credential-core"), verb, cr.p.Server, "--verbose")
	c.Env = append(c.Env, "FAULTS="+plan(step, 1, "kill"))
	if out, err := c.CombinedOutput(); !signalled(c) {
		cr.t.Errorf("%s was not killed at %q: %v\n%s", verb, step, err, out)
	}
	cr.kills++
}

// granted is how many refresh tokens the server has taken.
func (p *provider) granted() int { return p.stats().TokenOK["refresh_token"] }

// TestTortureFullDisk fills the disk at every step of a refresh. A step before the request costs nothing; none costs the
// sign-in.
func TestTortureFullDisk(t *testing.T) {
	u := bareUser(t)
	if err := os.Mkdir(u.dir(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", u.dir(), "tmpfs", 0, "size=2m,mode=700"); err != nil {
		t.Fatalf("root is needed to mount a small disk: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(u.dir(), syscall.MNT_DETACH) })
	u.write("passphrase", "correct horse battery staple\n")
	u.configure(`store = "file"`, fmt.Sprintf("passphrase_file = %q", u.path("passphrase")))
	cr := &crash{t: t, u: u, p: startProvider(t, "--access-ttl", "3600"), seen: map[string]int{}}
	cr.signIn()
	for _, step := range slices.Concat(stepsBefore, []string{stepLost}, stepsAfter) {
		cr.token = u.must("get", "--prompt", "never", cr.p.Server)
		trace := cr.refresh(mishap{name: "the disk is filled at " + step, plan: plan(step, 1, "fill")})
		if info, err := os.Stat(filepath.Join(u.dir(), "filler")); err != nil || info.Size() > 2<<20 {
			t.Errorf("the disk was not filled at %q: %v\n%s", step, err, trace)
		}
		if err := os.Remove(u.dir("filler")); err != nil {
			t.Fatal(err)
		}
		cr.suffer(mishap{name: "nothing"})
	}
	if cr.window+cr.unfair > 0 {
		t.Errorf("%d sign-ins were lost", cr.window+cr.unfair)
	}
}
