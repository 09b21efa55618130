// Package bridge stands between a host that speaks MCP over stdio and a server that speaks it over Streamable HTTP, and
// keeps the access token fresh: every message passes as it is, of its envelope alone is read what the transport needs.
// It leaves to its callers where tokens come from (Tokens), how a person is reached (Person), and words and flags.
package bridge

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// Need says why a token is asked for. The zero Need is the plain question of every request.
type Need struct {
	Refused   credential.Secret // the token that the server has just refused; it must not be answered again
	Challenge string            // what the server said to it: a WWW-Authenticate value
}

// Tokens answers with an access token for the bridge's server. It may be called by any goroutine and should be quick
// while a token is valid; it asks no person. Errors are *credential.Error; NotFound means that the server is not known
// to need a token, and the kinds of exit code 3 that a person is needed. Beside a valid token the latter mean that it
// serves, and that only a person can bring the next one.
type Tokens interface {
	Token(ctx context.Context, n Need) (credential.Token, error)
}

// Show brings an address before a person, and returns once the person has agreed to open it. ErrNotShown says that the
// host does not do that after all.
type Show func(ctx context.Context, url string) error

// Person signs somebody in. It is called by one goroutine at a time.
type Person interface {
	// Reachable reports whether a browser that opens on this machine is seen by somebody.
	Reachable() bool
	// SignIn offers one sign-in and returns nil once Tokens can answer n. show is how the address reaches the person;
	// nil means the browser of this machine.
	SignIn(ctx context.Context, n Need, show Show) error
}

// Config is one bridge. URL, Client, In and Out are required.
type Config struct {
	URL     string       // of the server, canonical
	Name    string       // what a person calls it; empty: its host name
	Client  *http.Client // follows no redirect of a POST, and none to another origin
	Tokens  Tokens       // nil: requests go out as Headers say, and a 401 is final
	Person  Person       // nil: nobody can be asked
	Headers http.Header  // added to every request
	In      io.Reader
	Out     io.Writer

	Log  func(string)       // one decision or event, without secrets; nil: nothing
	Hint func(error) string // what to do about an error, a command for it behind ": "; nil: nothing is said
	Now  func() time.Time   // nil: time.Now

	Large func() // a message is large: called at each megabyte of it, by any goroutine; nil: nothing is done

	SignInWait time.Duration // how long requests wait for a person; 0: credential.BridgeSignIn; negative: they do not
	Patience   time.Duration // how long a request waits for the network; 0: credential.BridgePatience
	Throttle   time.Duration // the longest Retry-After that is waited for; 0: credential.BridgeThrottle
	Repeat     time.Duration // one step of a handshake that is repeated; 0: credential.BridgeRepeat
	Farewell   time.Duration // what the end may take; 0: credential.BridgeFarewell
	MaxMessage int           // bytes of one message; 0: DefaultMaxMessage
}

// DefaultMaxMessage bounds a message in bytes: a host or a server that sends more without an end must not take all
// memory of the machine.
const DefaultMaxMessage = 64 << 20

func (c Config) withDefaults() Config {
	if c.Name == "" {
		c.Name = credential.Origin(c.URL)
	}
	if c.Log == nil {
		c.Log = func(string) {}
	}
	if c.Hint == nil {
		c.Hint = func(error) string { return "" }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	for _, d := range []struct {
		field     *time.Duration
		otherwise time.Duration
	}{
		{&c.SignInWait, credential.BridgeSignIn}, {&c.Patience, credential.BridgePatience},
		{&c.Throttle, credential.BridgeThrottle}, {&c.Farewell, credential.BridgeFarewell},
		{&c.Repeat, credential.BridgeRepeat},
	} {
		if *d.field == 0 {
			*d.field = d.otherwise
		}
	}
	if c.MaxMessage == 0 {
		c.MaxMessage = DefaultMaxMessage
	}
	return c
}

// Run pumps messages until In ends, Out cannot be written to any more, or ctx ends. The first two end it at once, what
// is in flight with them; the end of ctx gives requests in flight the time of Farewell to finish. A sign-in under way is
// given up, and has that time to clear up; a session is then deleted at the server. Only a failing In is an error.
func Run(ctx context.Context, c Config) error {
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	p := newPump(life, c.withDefaults())
	ended := make(chan error, 1)
	go func() { ended <- readLines(p.In, p.gather(), p.fromHost, p.tooLong) }()
	go p.mind(life)
	var err error
	select {
	case err = <-ended:
		p.host.close()
	case <-p.host.gone:
	case <-ctx.Done():
		p.calls.wait(p.Farewell)
	}
	stop()
	end := time.Now().Add(p.Farewell)
	p.calls.wait(p.Farewell)
	p.door.wait(time.Until(end))
	p.host.close()
	p.endSession()
	return err
}
