package bridge

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"strings"
	"sync"

	"github.com/mcp-credential/mcp-credential/credential"
)

// asked are the requests that the bridge itself makes of the host. Their identifiers begin with a random text, so that
// they are never those of a request of the server.
type asked struct {
	mu     sync.Mutex
	prefix string
	count  int
	open   map[string]chan message
}

func (a *asked) init() {
	a.prefix = "mcp-credential-" + rand.Text() + "-"
	a.open = map[string]chan message{}
}

// next returns an identifier and the place where the answer to it will be.
func (a *asked) next() (string, chan message) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.count++
	id := a.prefix + strconv.Itoa(a.count)
	answer := make(chan message, 1)
	a.open[id] = answer
	return id, answer
}

// take swallows an answer of the host to one of our requests, and reports whether m is one.
func (a *asked) take(m message) bool {
	id, _ := text(m.id)
	if !strings.HasPrefix(id, a.prefix) {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if answer := a.open[id]; answer != nil {
		delete(a.open, id)
		answer <- m
	}
	return true
}

// ErrNotShown is what a Show answers where the host turned out not to show addresses; another way may be tried.
var ErrNotShown = errors.New("the host does not show addresses")

// elicitation is one address that the host is asked to show (MCP 2025-11-25, URL mode elicitation).
type elicitation struct {
	p  *pump
	id string
}

// show asks. It returns nil when the person has agreed to open url; that says nothing about what becomes of the sign-in.
// url may lead to this machine's loopback, which a browser elsewhere does not reach.
func (e *elicitation) show(ctx context.Context, url string) error {
	id, answer := e.p.asked.next()
	e.id = quote(id)
	message := "Sign in to " + e.p.Name + " so that its tools can be used."
	if hint := e.p.Hint(e.p.fail(credential.NoSignIn, "", nil)); hint != "" && !e.p.Person.Reachable() {
		message += " If your browser runs on another machine, it cannot finish this sign-in; then " + hint
	}
	e.p.host.send([]byte(`{"jsonrpc":"2.0","id":` + e.id + `,"method":"elicitation/create","params":{"mode":"url","elicitationId":` + e.id +
		`,"url":` + quote(url) + `,"message":` + quote(message) + `}}`))
	select {
	case m := <-answer:
		switch action := digText(m.result, "action"); {
		case m.result == nil:
			return ErrNotShown
		case action != "accept":
			return errors.New("the person has declined")
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// finished tells the host that the person is done.
func (e *elicitation) finished() {
	if e.id != "" {
		e.p.host.send([]byte(`{"jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{"elicitationId":` + e.id + `}}`))
	}
}

// notice says something to the host as an MCP log message, once the host may get some and at a level that it wants.
func (p *pump) notice(level, text string) {
	p.Log(text)
	if p.session.wants(level) {
		p.host.send([]byte(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":` + quote(level) +
			`,"logger":"mcp-credential","data":` + quote(text) + `}}`))
	}
}

// tokenArrived lets sign-ins be offered again, and tells the host of a refresh.
func (p *pump) tokenArrived(refreshed bool) {
	p.door.relent()
	if refreshed {
		p.notice("info", "Refreshed MCP sign-in for "+p.Name)
	}
}
