package core

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/mcp-credential/mcp-credential/bridge"
	"github.com/mcp-credential/mcp-credential/bridge/credentials"
	"github.com/mcp-credential/mcp-credential/bridge/signin"
	"github.com/mcp-credential/mcp-credential/bridge/stdio"
	"github.com/mcp-credential/mcp-credential/cmd/call"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/helper"
	"github.com/mcp-credential/mcp-credential/internal/webclient"
	"github.com/mcp-credential/mcp-credential/source"
)

type bridgeCmd struct {
	common
	URL              string         `arg:"" help:"Server URL."`
	Header           []string       `help:"Header for every request, or @FILE with some." sep:"none" placeholder:"HEADER"`
	Proxy            string         `help:"Proxy, where the host hides HTTPS_PROXY." placeholder:"URL"`
	CAFile           string         `name:"ca-file" help:"Certificates, beside those of the system." placeholder:"FILE"`
	Account          string         `help:"Label of the sign-in to use." placeholder:"LABEL"`
	Name             string         `help:"What to call the server in messages." placeholder:"NAME"`
	ClientID         string         `name:"client-id" help:"OAuth client: an id, or a metadata URL." placeholder:"ID"`
	ClientSecretFile string         `name:"client-secret-file" help:"File that holds the client's secret." placeholder:"FILE"`
	Scope            []string       `help:"Additional scope to ask for; can be repeated." sep:"none" placeholder:"SCOPE"`
	Tenant           string         `help:"Entra ID tenant of the machine identity." placeholder:"TENANT"`
	Identity         string         `help:"Machine identity, of a kind as with get." placeholder:"KIND"`
	SignInWait       *time.Duration `name:"sign-in-wait" help:"How long requests wait for a sign-in; 0: not." placeholder:"5m"`
	StartWait        *time.Duration `name:"start-wait" help:"How long the start waits for the server." placeholder:"1s"`
	Strict           bool           `help:"Fail at a start without the server."`
	LogFile          string         `name:"log-file" help:"Log file; one line for each event." placeholder:"FILE"`
}

// idleConnections is how many connections are kept between bursts of calls.
const idleConnections = 128

// Run serves the remote server on stdin and stdout until the host ends it.
func (c bridgeCmd) Run(ctx context.Context, s streams) error {
	// A host that has gone is a failed write, not the end of this process, which has a session to close.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	if s.in != nil && call.Terminal(s.in) {
		call.Say(s.err, "this command serves an MCP host over stdin and stdout; how a host starts it: "+call.Docs+"hosts.md")
	}
	server, err := c.check()
	if err == nil {
		err = absolute(&c.CAFile, &c.ClientSecretFile) // detached processes, which get them too, run elsewhere
	}
	if err != nil {
		return err
	}
	headers, err := readHeaders(c.Header)
	if err != nil {
		return err
	}
	if err := c.exportNetwork(); err != nil {
		return err
	}
	log, err := openLog(c.LogFile, c.Verbose, s.err)
	if err != nil {
		return err
	}
	defer log.close()
	s.err = log
	c.Verbose = log.wanted()
	w, err := wire(c.common, s)
	if err != nil {
		return err
	}
	if err := addConfigured(headers, w.config.Servers[server].Headers); err != nil {
		return err
	}
	if w.client, err = c.client(); err != nil {
		return err
	}
	b := bridge.Config{
		URL: server, Name: c.displayName(w, server), Client: w.client, Headers: headers, In: s.in, Out: s.out,
		Log: w.trace, Hint: c.hint, SignInWait: c.signInWait(), StartWait: c.startWait(),
	}
	if err := c.authorize(&b, w, s, server); err != nil {
		return err
	}
	in, blockIn := stdio.Nonblocking(s.in)
	defer blockIn()
	b.In = in
	if out, ok := s.out.(*os.File); ok {
		out, blockOut := stdio.Nonblocking(out)
		defer blockOut()
		b.Out = out
		var every func()
		b.Large, every = stdio.OneProcessor(in, out)
		defer every()
	}
	return bridge.Run(ctx, b)
}

// hint is what to do about err: a sign-in is for this bridge only with the flags that it has.
func (c bridgeCmd) hint(err error) string {
	return call.Login{
		Account: c.Account, ClientID: c.ClientID, ClientSecretFile: c.ClientSecretFile, Scopes: c.Scope, Home: c.Home, NoBrowser: noBrowser(), More: "--log-file",
	}.Hint(err)
}

// client makes the HTTP client of this process. A proxy that was named serves for everything but this machine.
func (c bridgeCmd) client() (*http.Client, error) {
	o := webclient.Options{Version: version(), Getenv: osGetenv, Idle: idleConnections}
	if c.Proxy != "" {
		place, err := parseProxy(c.Proxy)
		if err != nil {
			return nil, err
		}
		o.Proxy = func(r *http.Request) (*url.URL, error) {
			if credential.Loopback(r.URL.Hostname()) {
				return nil, nil
			}
			return place, nil
		}
	}
	return webclient.New(o)
}

func (c bridgeCmd) check() (string, error) {
	server, err := credential.ParseServerURL(c.URL)
	if err != nil {
		return "", err
	}
	if c.SignInWait != nil && *c.SignInWait < 0 {
		return "", credential.Fail(credential.Usage, "--sign-in-wait must not be negative", nil)
	}
	if c.StartWait != nil && *c.StartWait <= 0 {
		return "", credential.Fail(credential.Usage, "--start-wait must be positive; --strict has the start wait for the server", nil)
	}
	shared := call.Flags{Account: c.Account, Identity: c.Identity, Scope: c.Scope}
	if err := shared.Check(); err != nil {
		return "", err
	}
	return server, checkCAFile(c.CAFile)
}

// absolute makes paths of the command line mean the same in every directory. An empty one stays empty.
func absolute(paths ...*string) error {
	for _, path := range paths {
		if *path == "" {
			continue
		}
		full, err := filepath.Abs(*path)
		if err != nil {
			return credential.Fail(credential.BadInput, "the working directory cannot be found", err)
		}
		*path = full
	}
	return nil
}

// displayName is the server's name in messages.
func (c bridgeCmd) displayName(w *wiring, server string) string {
	known, _ := w.helper.Records.Server(server)
	for _, name := range []string{c.Name, w.config.Servers[server].Name, known.Name} {
		if name != "" {
			return credential.Printable(name, 80)
		}
	}
	_, host, _ := strings.Cut(credential.Origin(server), "://")
	return host
}

// authorize decides where tokens come from. A header of the caller's own leaves no room for one of ours.
func (c bridgeCmd) authorize(b *bridge.Config, w *wiring, s streams, server string) error {
	if b.Headers.Get("Authorization") != "" {
		if _, err := w.helper.Records.Server(server); err == nil {
			return credential.Fail(credential.Usage, "--header sets Authorization, but there is a sign-in for "+server+", whose token goes there", nil)
		}
		return nil
	}
	q := machineFlags{ClientID: c.ClientID, Identity: c.Identity, Tenant: c.Tenant, Scope: c.Scope}.query(credential.Query{URL: server, Account: c.Account})
	c.overlay(w, server)
	b.Hint = func(err error) string { return c.hint(sources{w}.overForward(server, err)) }
	b.Tokens = credentials.NewTokens(w.account(q), w.configStamp)
	another := func() (*wiring, credentials.Account, error) {
		other, err := wire(c.common, s)
		if err != nil {
			return nil, credentials.Account{}, err
		}
		other.client = w.client
		c.overlay(other, server)
		return other, other.account(q), nil
	}
	if on := w.config.Remember; b.StartWait > 0 && (on == nil || *on) {
		b.Memory = &credentials.Memory{Lazy: credentials.Lazy{Open: func() (credentials.Account, error) {
			_, a, err := another()
			return a, err
		}}}
	}
	if !w.prompt("", server) {
		return nil
	}
	var people *wiring
	b.Interactive = &credentials.SignIns{
		Lazy: credentials.Lazy{Open: func() (a credentials.Account, err error) {
			people, a, err = another()
			return a, err
		}},
		BrowserSeen: func() bool { return sources{w}.canAsk(q) },
		Person: func(way signin.Way) helper.Person {
			if way.Code != nil {
				return &codePerson{person: people.person(source.Device, true), show: way.Code}
			}
			return &hostPerson{person: people.person(source.Browser, true), show: way.Show}
		},
	}
	return nil
}

// account is what a bridge asks this wiring's helper for.
func (w *wiring) account(q credential.Query) credentials.Account {
	return credentials.Account{Helper: w.helper, Query: q, Reload: w.reload, Prompt: func() bool { return w.prompt("", q.URL) }}
}

// exportNetwork gives the network flags to the processes that refresh and sign in on this one's behalf, as the variables
// of the same meaning. Certificates are read from the variable here too; net/http may have read the one of the proxy
// already, which client therefore sets itself.
func (c bridgeCmd) exportNetwork() error {
	for _, v := range []struct{ name, value string }{{"HTTPS_PROXY", c.Proxy}, {"HTTP_PROXY", c.Proxy}, {"SSL_CERT_FILE", c.CAFile}} {
		if v.value == "" {
			continue
		}
		if err := os.Setenv(v.name, v.value); err != nil {
			return credential.Fail(credential.Usage, "--proxy or --ca-file cannot be used", err)
		}
	}
	return nil
}

// overlay lays the flags of the bridge over what the configuration says of its server, here and in the process that
// signs a person in.
func (c bridgeCmd) overlay(w *wiring, server string) {
	settings, launch := w.helper.Settings, w.helper.Launch
	w.helper.Settings = func(url string) helper.Settings {
		s := settings(url)
		if url != server {
			return s
		}
		if c.Name != "" {
			s.Name = c.Name
		}
		if c.ClientSecretFile != "" {
			s.ClientSecret = c.ClientSecretFile
		}
		return s
	}
	w.helper.Launch = func(args ...string) error {
		if args[0] == helper.OfferCommand && c.Name != "" {
			args = append(args, "--name="+c.Name)
		}
		if args[0] == helper.OfferCommand && c.ClientSecretFile != "" {
			args = append(args, "--client-secret-file="+c.ClientSecretFile)
		}
		return launch(args...)
	}
}
