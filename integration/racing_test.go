//go:build integration && linux

package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld/mcphost"
)

// tortureVariable says how long the races go on, as a Go duration.
const tortureVariable = "TORTURE"

// The load of TestRacingCommands.
const (
	racers      = 6   // goroutines that run one command after the other
	racingBurst = 200 // gets that begin together, now and then
	burstSample = 10  // every one of so many of these is in the history
	racingTTL   = 3 * time.Second
	racingLimit = 30 * time.Second // of one command
	racingHosts = 8                // with a bridge each
)

// tortureLength is how long a torture lasts: short unless somebody asks for more.
func tortureLength(t *testing.T, short time.Duration) time.Duration {
	t.Helper()
	text := os.Getenv(tortureVariable)
	if text == "" {
		return short
	}
	long, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return long
}

// race is a server that several clients sign in to, out of and get tokens for at once.
type race struct {
	u       *user
	p       *provider
	server  string
	clients []string
	history history

	mu     sync.Mutex
	codes  map[string]int // "get 0" to how often
	wrong  []string       // what ended otherwise than with 0, 3 or 4, and what it said
	askers sync.WaitGroup
}

// newRace makes an account and a server; more goes into the account's configuration.
func newRace(t *testing.T, more ...string) *race {
	t.Helper()
	p := startProvider(t, "--access-ttl", fmt.Sprint(racingTTL.Seconds()))
	r := &race{p: p, server: guardedServer(t, p), codes: map[string]int{}}
	r.u = newUser(t, append(more, `[servers."`+r.server+`"]`, `resource = "`+p.Server+`"`)...)
	r.u.env["GORACE"] = "exitcode=66 log_path=" + r.u.path("datarace")
	r.history.began = time.Now()
	return r
}

// judge wants every exit code to be 0, 3 or 4, no refresh token to have been used twice, and no data race.
func (r *race) judge(t *testing.T) {
	t.Helper()
	s := r.p.stats()
	t.Logf("%v; token requests %v, granted %v, sign-ins %d, revocations %d", r.codes, s.Token, s.TokenOK, s.Authorizations, s.Revocations)
	for _, text := range r.wrong {
		t.Error(text)
	}
	if s.Reuse != 0 {
		t.Errorf("a refresh token was used %d times too often", s.Reuse)
	}
	if found, _ := filepath.Glob(r.u.path("datarace*")); len(found) > 0 {
		data, _ := os.ReadFile(found[0])
		t.Errorf("data races in %v:\n%.3000s", found, data)
	}
}

// TestRacingCommands runs get, login, logout, erase and store at random, with tokens of three seconds, beside bridges. Each
// ends with 0, 3 or 4; what they say fits together as if they had come one after the other; no refresh token is used twice;
// and in the end a login is all that is needed.
func TestRacingCommands(t *testing.T) {
	r := newRace(t, `prompt = "never"`)
	for range 3 {
		r.clients = append(r.clients, r.p.register())
	}
	ctx, cancel := context.WithTimeout(t.Context(), tortureLength(t, 20*time.Second))
	defer cancel()
	for i := range racers {
		r.askers.Go(func() {
			for ctx.Err() == nil {
				r.one(t.Context(), i)
			}
		})
	}
	r.askers.Go(func() { r.bursts(ctx, t) })
	hosts := r.hosts(ctx, t)
	r.askers.Wait()
	r.judge(t)
	if r.codes["get 0"] == 0 || r.codes["get 3"] == 0 || r.codes["login 0"] == 0 || r.codes["logout 0"] == 0 {
		t.Error("the race missed one of its sides")
	}
	r.history.check(t)
	r.u.must("login", "--client-id", r.clients[0], r.server)
	mustAccept(t, r.p.Server, r.u.must("get", r.server))
	for _, h := range hosts {
		eventually(t, "a bridge's host calls the tool again", 20*time.Second, func() bool { return echoes(t.Context(), h) })
	}
}

// TestRacingOffers is the same where a get without a sign-in offers one, as it does to a person: then there is always one of
// unknown client, and only the ends of the commands are judged.
func TestRacingOffers(t *testing.T) {
	r := newRace(t)
	r.clients = []string{r.p.register(), r.p.register()}
	ctx, cancel := context.WithTimeout(t.Context(), tortureLength(t, 10*time.Second))
	defer cancel()
	for i := range racers {
		r.askers.Go(func() {
			for ctx.Err() == nil {
				r.one(t.Context(), i)
			}
		})
	}
	r.askers.Wait()
	r.judge(t)
}

// hosts starts bridges whose hosts call a tool over and over, whatever comes of it.
func (r *race) hosts(ctx context.Context, t *testing.T) []*mcphost.Host {
	t.Helper()
	all := make([]*mcphost.Host, racingHosts)
	for i := range all {
		all[i] = r.u.bridge(r.server, nil)
		if _, err := all[i].Initialize(t.Context(), "2025-11-25", map[string]any{}); err != nil {
			t.Fatal(err)
		}
		r.askers.Go(func() {
			ticker := time.NewTicker(callEvery)
			defer ticker.Stop()
			for ctx.Err() == nil {
				echoes(t.Context(), all[i])
				<-ticker.C
			}
		})
	}
	return all
}

// echoes reports whether a call of the tool is answered by the server.
func echoes(ctx context.Context, h *mcphost.Host) bool {
	ctx, cancel := context.WithTimeout(ctx, racingLimit)
	defer cancel()
	result, err := h.Call(ctx, "tools/call", map[string]any{"name": "echo", "arguments": map[string]any{"text": "said"}})
	return err == nil && strings.Contains(string(result), "said")
}

// one runs a command at random.
func (r *race) one(ctx context.Context, worker int) {
	switch n := rand.IntN(100); {
	case n < 5:
		client := r.clients[rand.IntN(len(r.clients))]
		r.run(ctx, worker, call{verb: "login", client: client}, "", "--client-id", client, r.server)
	case n < 9:
		r.run(ctx, worker, call{verb: "logout"}, "", "--all-accounts", r.server)
	case n < 14:
		r.run(ctx, worker, call{verb: "erase"}, "", r.server)
	case n < 19:
		if out := r.run(ctx, worker, call{verb: "get"}, "", "--output", "git", r.server); out != "" {
			r.run(ctx, worker, call{verb: "store"}, gitRequest(r.server)+out, "--input", "git")
		}
	default:
		r.run(ctx, worker, call{verb: "get"}, "", r.server)
	}
}

// bursts starts many gets at once, every few seconds.
func (r *race) bursts(ctx context.Context, t *testing.T) {
	for ctx.Err() == nil {
		var all sync.WaitGroup
		for i := range racingBurst {
			all.Go(func() { r.run(t.Context(), racers+i, call{verb: "get", aside: i%burstSample != 0}, "", r.server) })
		}
		all.Wait()
		select {
		case <-ctx.Done():
		case <-time.After(2 * racingTTL):
		}
	}
}

// run runs one command and records it; it returns what the command printed.
func (r *race) run(ctx context.Context, worker int, c call, stdin string, args ...string) string {
	var out, words bytes.Buffer
	ended := r.history.record(worker, func() call {
		ctx, cancel := context.WithTimeout(ctx, racingLimit)
		defer cancel()
		cmd := exec.CommandContext(ctx, bin("mcp-credential"), append([]string{c.verb}, args...)...)
		cmd.Env, cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = r.u.environ(), r.u.home, strings.NewReader(stdin), &out, &words
		err := cmd.Run()
		var exit *exec.ExitError
		switch {
		case errors.As(err, &exit):
			c.code = exit.ExitCode()
		case err != nil:
			c.code = -1
		}
		return c
	}, func(c *call) {
		if token := tokenIn(out.String()); c.verb == "get" && c.code == 0 {
			c.client = r.p.clientOf(token)
		}
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.codes[fmt.Sprintf("%s %d", c.verb, ended.code)]++
	if !slices.Contains([]int{0, 3, 4}, ended.code) && len(r.wrong) < 20 {
		r.wrong = append(r.wrong, fmt.Sprintf("%s ended with %d: %s", c.verb, ended.code, words.String()))
	}
	if ended.code != 0 {
		return ""
	}
	return out.String()
}

// tokenIn finds the token in what a get has printed, as it is or for git.
func tokenIn(out string) string {
	if password := fromGit(out); password != "" {
		return password
	}
	return strings.TrimSpace(out)
}

// register makes a client that may sign in from any loopback port.
func (p *provider) register() string {
	p.t.Helper()
	body := `{"client_name":"race","redirect_uris":["http://127.0.0.1/callback"],"application_type":"native","token_endpoint_auth_method":"none",` +
		`"grant_types":["authorization_code","refresh_token"],"response_types":["code"]}`
	resp, err := http.Post(p.Issuer+"/reg", "application/json", strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, _ := io.ReadAll(resp.Body)
	var made struct {
		ID string `json:"client_id"`
	}
	if json.Unmarshal(data, &made) != nil || made.ID == "" {
		p.t.Fatalf("registration: %s %s", resp.Status, data)
	}
	return made.ID
}

// clientOf asks the protected server which client a token was issued to; empty for one that was revoked or has expired since.
func (p *provider) clientOf(token string) string {
	req, err := http.NewRequest(http.MethodGet, p.Server+"/ping", nil)
	if err != nil {
		return ""
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	var who struct {
		ID string `json:"client_id"`
	}
	_ = json.NewDecoder(resp.Body).Decode(&who)
	return who.ID
}
