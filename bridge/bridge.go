// Package bridge stands between a host that speaks MCP over stdio and a server that speaks it over Streamable HTTP, and
// keeps the access token fresh. It puts its parts together: jsonrpc reads and writes messages, streamable talks to the
// server, token holds the access token, signin waits for a person, standin answers while the server cannot. Where tokens come
// from, how a person signs in, and flags and their words are left to its callers.
package bridge

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
	"github.com/mcp-credential/mcp-credential/bridge/signin"
	"github.com/mcp-credential/mcp-credential/bridge/standin"
	"github.com/mcp-credential/mcp-credential/bridge/streamable"
	"github.com/mcp-credential/mcp-credential/bridge/token"
	"github.com/mcp-credential/mcp-credential/credential"
)

// Config is one bridge. URL, Client, In and Out are required.
type Config struct {
	URL         string             // of the server, canonical
	Name        string             // what a person calls it; empty: its host name
	Client      *http.Client       // follows no redirect of a POST, and none to another origin
	Tokens      token.Source       // nil: requests go out as Headers say, and a 401 is final
	Interactive signin.Interactive // nil: nobody can be asked
	Headers     http.Header        // added to every request
	Memory      Memory             // nil: what the server says is forgotten at the end
	In          io.Reader
	Out         io.Writer

	Log  func(string)       // one decision or event, without secrets; nil: nothing
	Hint func(error) string // what to do about an error, a command for it behind ": "; nil: nothing is said
	Now  func() time.Time   // nil: time.Now

	Large func() // a message is large: called at each megabyte of it, by any goroutine; nil: nothing is done

	StartWait     time.Duration // how long a host's first request waits for the server before it is answered in its place; 0: for ever
	SignInWait    time.Duration // how long requests wait for a person; 0: credential.BridgeSignIn; negative: they do not
	Retry         time.Duration // how long a request waits for the network; 0: credential.BridgeRetry
	MaxRetryAfter time.Duration // the longest that a server may have a request wait; 0: credential.BridgeRetryAfter
	Handshake     time.Duration // one step of a handshake that is repeated; 0: credential.BridgeHandshake
	Shutdown      time.Duration // what the end may take; 0: credential.BridgeShutdown
	MaxMessage    int           // bytes of one message; 0: DefaultMaxMessage
}

// DefaultMaxMessage bounds a message in bytes: a host or a server that sends more without an end must not take all
// memory of the machine.
const DefaultMaxMessage = 64 << 20

func (c Config) withDefaults() Config {
	c.Name = cmp.Or(c.Name, credential.Origin(c.URL))
	if c.Log == nil {
		c.Log = func(string) {}
	}
	if c.Hint == nil {
		c.Hint = func(error) string { return "" }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.SignInWait = cmp.Or(c.SignInWait, credential.BridgeSignIn)
	c.Retry = cmp.Or(c.Retry, credential.BridgeRetry)
	c.MaxRetryAfter = cmp.Or(c.MaxRetryAfter, credential.BridgeRetryAfter)
	c.Handshake = cmp.Or(c.Handshake, credential.BridgeHandshake)
	c.Shutdown = cmp.Or(c.Shutdown, credential.BridgeShutdown)
	c.MaxMessage = cmp.Or(c.MaxMessage, DefaultMaxMessage)
	return c
}

// bridge is the parts of a running one.
type bridge struct {
	Config
	ctx      context.Context
	out      *jsonrpc.Writer
	host     *signin.Host
	tokens   *token.Cache
	prompter *signin.Prompter
	client   *streamable.Client
	order    order

	standIn       *standin.StandIn // nil: nobody answers in the server's place
	memory        *memory
	connection    *connection
	subscriptions subscriptions
	comparing     sync.Mutex // of the lists with what the host was told
	turning       sync.Mutex // of whether somebody has to sign in
}

func newBridge(ctx context.Context, c Config) *bridge {
	b := &bridge{Config: c, ctx: ctx, out: jsonrpc.NewWriter(c.Out), order: newOrder()}
	b.host = signin.NewHost(b.out)
	prompter := signin.Config{
		Interactive: c.Interactive, Host: b.host, Server: c.URL, Name: c.Name, Wait: c.SignInWait, Hint: c.Hint, Log: c.Log, Now: c.Now,
	}
	tokens := token.Config{
		Source: c.Tokens, Now: c.Now, Retry: c.Retry, Arrived: b.arrived, Last: func(t credential.Token) { b.prompter.Offer(t) },
	}
	client := streamable.Config{
		URL: c.URL, HTTP: c.Client, Headers: c.Headers, Out: b.out, Limit: b.limit(),
		Ready: b.host.Initialized, Log: c.Log, Now: c.Now,
		Retry: c.Retry, MaxRetryAfter: c.MaxRetryAfter, Handshake: c.Handshake, Shutdown: c.Shutdown,
	}
	if c.StartWait > 0 {
		b.standIn, b.connection = standin.New(c.Name), newConnection()
		b.memory = newMemory(ctx, c.Memory, b.standIn, c.Log)
		tokens.Needed, prompter.HostReady = b.personNeeded, credential.HTTPMetadata
		client.Learn, client.Renewed = b.memory.learn, func() { b.compare(ctx) }
	}
	b.tokens = token.NewCache(ctx, tokens)
	b.prompter = signin.NewPrompter(ctx, prompter)
	b.prompter.Tokens, client.Tokens, client.Token = b.tokens, b.tokens, b.prompter.Token
	b.client = streamable.New(ctx, client)
	return b
}

func (c Config) limit() jsonrpc.Limit { return jsonrpc.Limit{Size: c.MaxMessage, Large: c.Large} }

// arrived lets sign-ins be offered again, and tells the host of a refresh.
func (b *bridge) arrived(replaced bool) {
	b.prompter.Reset()
	if replaced {
		text := "Refreshed MCP sign-in for " + b.Name
		b.Log(text)
		b.host.Notify("info", text)
	}
}

// Run passes messages until In ends, Out cannot be written to any more, or ctx ends. The first two end it at once, what
// is in flight with them; the end of ctx gives requests in flight the time of Shutdown to finish. A sign-in under way is
// given up, and has that time to clear up; a session is then deleted at the server. Only a failing In is an error.
func Run(ctx context.Context, c Config) error {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	b := newBridge(running, c.withDefaults())
	ended := make(chan error, 1)
	go func() { ended <- jsonrpc.ReadLines(b.In, b.limit(), b.receive, b.tooLong) }()
	go b.watchClock(running)
	var err error
	select {
	case err = <-ended:
		b.out.Close()
	case <-b.out.Broken():
	case <-ctx.Done():
		b.client.Wait(b.Shutdown)
	}
	stop()
	if b.memory != nil {
		b.memory.finish(b.Shutdown)
	}
	end := time.Now().Add(b.Shutdown)
	b.client.Wait(b.Shutdown)
	b.prompter.Finish(time.Until(end))
	b.out.Close()
	b.client.Close()
	return err
}
