package bridge

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"

	"github.com/mcp-credential/mcp-credential/credential"
)

// session is what the bridge remembers of the handshake: what the server said that every later request repeats, and
// what the host said that a new session is opened with when the server has forgotten the old one.
type session struct {
	mu      sync.Mutex
	now     view
	hello   *message // initialize
	started *message // notifications/initialized
	done    bool     // the host has finished the handshake
	replays []replay
	level   string // the least severe log message that the host wants; empty: any
	renewal *flight
}

// view is the session as one request sees it.
type view struct {
	id      string // Mcp-Session-Id; empty: the server keeps no session
	version string // negotiated; empty: not yet
	count   int    // which session of this run it is
}

// replay is a request whose effect a new session must have too.
type replay struct {
	about string
	m     *message
}

func (s *session) view() view {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// hear notes a message of the host's handshake.
func (s *session) hear(m *message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch m.method {
	case "initialize":
		s.hello, s.started, s.done, s.replays = m, nil, false, nil
		s.now = view{count: s.now.count}
	case "notifications/initialized":
		s.started = m
	}
}

// keep notes what the server has been told for the length of the session, once it has answered.
func (s *session) keep(m *message) {
	about := digText(m.params, "uri")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replays = slices.DeleteFunc(s.replays, func(r replay) bool { return r.about == about })
	if m.method != "resources/unsubscribe" {
		s.replays = append(s.replays, replay{about, m})
	}
}

// opened is the session that the answer r to an initialize opens.
func opened(h http.Header, r message) view {
	return view{id: h.Get(headerSession), version: digText(r.result, "protocolVersion")}
}

// enter makes a session the present one. What the server has asked the host in the one before it no longer waits for.
func (p *pump) enter(v view) {
	p.session.mu.Lock()
	v.count = p.session.now.count + 1
	p.session.now = v
	p.session.mu.Unlock()
	p.questions.withdraw(v.count, p.host)
}

func (s *session) ready() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = true
}

// elicits reports whether the host shows addresses to people (URL mode elicitation), and whether it may be asked yet.
func (s *session) elicits() (able, ready bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hello == nil {
		return false, false
	}
	return dig(s.hello.params, "capabilities", "elicitation", "url") != nil, s.done
}

// levels are those of MCP's logging, the least severe first.
var levels = []string{"debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"}

func (s *session) setLevel(level string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.level = level
}

// wants reports whether the host can be sent a log message of this level now.
func (s *session) wants(level string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done && slices.Index(levels, level) >= slices.Index(levels, s.level)
}

// renew opens a new session in place of old, which the server no longer knows. Of many callers one does it, and all
// wait for its end. The host sees nothing of it.
func (p *pump) renew(ctx context.Context, old view) error {
	s := &p.session
	s.mu.Lock()
	if s.renewal == nil && s.now.count != old.count {
		s.mu.Unlock()
		return nil
	}
	if s.renewal == nil {
		s.renewal = &flight{done: make(chan struct{})}
		go func(f *flight) {
			f.err = p.reopen()
			s.mu.Lock()
			s.renewal = nil
			s.mu.Unlock()
			close(f.done)
		}(s.renewal)
	}
	f := s.renewal
	s.mu.Unlock()
	if err := wait(ctx, f.done); err != nil {
		return err
	}
	return f.err
}

// reopen does the handshake of the host once more. Others see the new session when that is over: a server need not
// answer anything before it.
func (p *pump) reopen() error {
	p.Log("the server has lost the session; opening a new one")
	p.place.Store(&p.URL)
	if _, err := p.permit(p.life, Need{}); err != nil { // first, because a person may have to be waited for
		return err
	}
	p.session.mu.Lock()
	hello, started, replays := p.session.hello, p.session.started, slices.Clone(p.session.replays)
	p.session.mu.Unlock()
	c, err := p.repeat(p.life, hello, &view{})
	if err == nil && c.got.result == nil {
		err = errors.New("initialize was refused")
	}
	if err == nil && started != nil {
		_, err = p.repeat(p.life, started, &c.met)
	}
	if err != nil {
		return p.fail(credential.Network, "the server has lost the session and opens no new one", err)
	}
	for _, r := range replays {
		if _, err := p.repeat(p.life, r.m, &c.met); err != nil {
			p.Log(r.m.describe() + " is not in force in the new session: " + err.Error())
		}
	}
	p.enter(c.met)
	p.listen.start(p)
	return nil
}

// repeat sends a message of the host on the bridge's own behalf, in the session via where there is one, and returns it
// with the server's answer. It takes at most Repeat.
func (p *pump) repeat(ctx context.Context, m *message, via *view) (*call, error) {
	ctx, cancel := context.WithTimeout(ctx, p.Repeat)
	defer cancel()
	c := newCall(ctx, m)
	defer c.stop()
	c.own, c.via = true, via
	err := p.exchange(c)
	if err == nil && len(c.open()) > 0 {
		err = errors.New("there was no answer")
	}
	return c, err
}

// endSession tells the server that the session is over. It is a courtesy, and short.
func (p *pump) endSession() {
	s := p.session.view()
	if s.id == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), p.Farewell)
	defer cancel()
	p.keeper.mu.Lock()
	t := p.keeper.held
	p.keeper.mu.Unlock()
	if !t.Access.IsZero() && !t.Valid(p.Now()) {
		return // a request never leaves with an expired token, and none is worth waiting for now
	}
	resp, _, err := p.try(ctx, errand{method: http.MethodDelete, m: &message{}}, t, s)
	if err == nil {
		resp.Body.Close()
	}
}
