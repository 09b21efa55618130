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

// open takes over what the answer to initialize says.
func (s *session) open(h http.Header, r message) {
	if r.result == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = view{id: h.Get(headerSession), version: digText(r.result, "protocolVersion"), count: s.now.count + 1}
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

// renew opens a new session in place of old, which the server no longer knows. Of many callers one does it. The host
// sees nothing of it.
func (p *pump) renew(ctx context.Context, old view) error {
	s := &p.session
	s.mu.Lock()
	if s.now.count != old.count {
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

func (p *pump) reopen() error {
	p.Log("the server has lost the session; opening a new one")
	p.session.mu.Lock()
	steps := []*message{p.session.hello, p.session.started}
	for _, r := range p.session.replays {
		steps = append(steps, r.m)
	}
	p.session.mu.Unlock()
	for i, m := range steps {
		if m == nil {
			continue
		}
		got, err := p.repeat(m)
		if err == nil && i == 0 && got.result == nil {
			err = errors.New("initialize was refused")
		}
		if err != nil && i < 2 {
			return p.fail(credential.Network, "the server has lost the session and opens no new one", err)
		}
	}
	p.listen.start(p)
	return nil
}

// repeat sends a message of the host on the bridge's own behalf, and returns what the server answers.
func (p *pump) repeat(m *message) (message, error) {
	c := newCall(p.life, m)
	defer c.stop()
	c.own = true
	err := p.exchange(c)
	if err == nil && len(c.open()) > 0 {
		err = errors.New("there was no answer")
	}
	return c.got, err
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
