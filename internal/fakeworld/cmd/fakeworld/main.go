// Command fakeworld runs package fakeworld for tests in other processes and for the demo, and plays the person's browser.
//
//	fakeworld [flags]        serves until its stdin ends or it is told to stop, and says where in one line of JSON
//	fakeworld entra [flags]  the same with package fakeworld/entra
//	fakeworld browser URL    opens URL as fakeworld.Visit does, and prints nothing
//	fakebrowser URL          the same under another name: what $BROWSER wants, a program with one argument
//
// As a browser it appends each URL it is given to the file $FAKEBROWSER_LOG and writes the page it ended on to the
// file $FAKEBROWSER_PAGE, where these are set.
package main

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
	"github.com/mcp-credential/mcp-credential/internal/fakeworld/mcpserver"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args, os.Stdin, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "fakeworld:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	name, args := strings.TrimSuffix(filepath.Base(args[0]), ".exe"), args[1:]
	if name == "fakebrowser" {
		return browse(ctx, args)
	}
	if len(args) > 0 && args[0] == "browser" {
		return browse(ctx, args[1:])
	}
	if len(args) > 0 && args[0] == "entra" {
		return serveEntra(ctx, args[1:], stdin, stdout)
	}
	return serve(ctx, args, stdin, stdout)
}

// visitTotal ends a visit; a product that does not answer its redirect would hold the browser open.
const visitTotal = 30 * time.Second

func browse(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("a browser takes one URL, not %d arguments", len(args))
	}
	if err := appendLine(os.Getenv("FAKEBROWSER_LOG"), args[0]); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, visitTotal)
	defer cancel()
	page, err := fakeworld.Visit(ctx, args[0])
	if err != nil {
		return err
	}
	if file := os.Getenv("FAKEBROWSER_PAGE"); file != "" {
		return os.WriteFile(file, []byte(page.Body), 0o600)
	}
	return nil
}

func appendLine(file, line string) error {
	if file == "" {
		return nil
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.WriteString(f, line+"\n")
	return err
}

func serve(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	o, extra, err := parse(args)
	if err != nil {
		return err
	}
	o.MCP = mcpserver.Handler()
	w, err := fakeworld.Start(o)
	if err != nil {
		return err
	}
	defer w.Close()
	if err := extra.apply(w); err != nil {
		return err
	}
	where := map[string]any{"server": w.ServerURL(), "servers": w.ServerURLs(), "issuer": w.Issuer(), "control": w.ControlURL()}
	return announce(ctx, where, stdin, stdout)
}

// announce says where the world is, and waits for its end.
func announce(ctx context.Context, where map[string]any, stdin io.Reader, stdout io.Writer) error {
	if err := json.NewEncoder(stdout).Encode(where); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, stdin)
		close(ended)
	}()
	select {
	case <-ctx.Done():
	case <-ended:
	}
	return nil
}

// extras are the flags that are not Options.
type extras struct {
	knobs, certFile, clientKey, workload string
	workloadKey                          *ecdsa.PrivateKey
}

func (e extras) apply(w *fakeworld.World) error {
	if e.knobs != "" {
		if err := w.Control([]byte(`{"knobs":` + e.knobs + `}`)); err != nil {
			return fmt.Errorf("-knobs: %w", err)
		}
	}
	if e.workload != "" {
		if err := e.vouch(w.Issuer()); err != nil {
			return err
		}
	}
	if e.certFile != "" {
		return os.WriteFile(e.certFile, w.CertPEM(), 0o600)
	}
	return nil
}

func parse(args []string) (o fakeworld.Options, e extras, err error) {
	f := flag.NewFlagSet("fakeworld", flag.ContinueOnError)
	f.DurationVar(&o.AccessTTL, "access-ttl", 0, "life of an access token (1h)")
	f.DurationVar(&o.RefreshTTL, "refresh-ttl", 0, "life of a refresh token (for ever)")
	f.DurationVar(&o.CodeTTL, "code-ttl", 0, "life of an authorization code (1m)")
	f.DurationVar(&o.DeviceTTL, "device-ttl", 0, "life of a device code (5m)")
	f.DurationVar(&o.DeviceInterval, "device-interval", 0, "least time between two polls (1s)")
	f.BoolVar(&o.Rotate, "rotate", false, "a refresh spends the refresh token")
	f.BoolVar(&o.RevokeOnReuse, "revoke-on-reuse", false, "a spent refresh token kills its grant")
	f.BoolVar(&o.NoRefresh, "no-refresh", false, "no refresh tokens")
	f.BoolVar(&o.OfflineScope, "offline-scope", false, "refresh tokens for offline_access only")
	f.BoolVar(&o.OmitExpiry, "omit-expiry", false, "no expires_in")
	f.BoolVar(&o.OmitScope, "omit-scope", false, "no scope in token responses")
	f.BoolVar(&o.CommaScopes, "comma-scopes", false, "scopes of token responses separated by commas")
	f.BoolVar(&o.PlainRefresh, "plain-refresh", false, "a refresh that names scopes is refused")
	f.BoolVar(&o.ErrorsOK, "errors-ok", false, "the token endpoint refuses with status 200")
	f.BoolVar(&o.NoRegistration, "no-registration", false, "no dynamic registration")
	f.StringVar(&o.Redirect, "redirect", "", "redirect URI of the well-known clients")
	f.StringVar(&o.OfflineParam, "offline-param", "", "name=value of the authorization request without which there is no refresh token")
	f.StringVar(&o.NeedParam, "need-param", "", "name=value of the authorization request without which the token is for no server")
	f.BoolVar(&o.DPoP, "dpop", false, "tokens are bound to a key, with nonces at both servers")
	f.BoolVar(&o.ExactPorts, "exact-ports", false, "redirect URIs match with their port")
	f.BoolVar(&o.RootOnly, "root-only", false, "resource metadata for the origin, at the root")
	f.BoolVar(&o.OpenIDOnly, "openid-only", false, "no metadata where RFC 8414 has it")
	f.BoolVar(&o.NoIss, "no-iss", false, "no iss in redirects, and none announced")
	f.StringVar(&o.AuthMethod, "auth-method", "", "what registered clients get")
	f.StringVar(&o.IssuerPath, "issuer-path", "", "path of the issuer")
	scopes := f.String("scopes", "", "scopes_supported, separated by spaces")
	paths := f.String("paths", "", "paths of the protected servers, separated by spaces")
	f.StringVar(&e.knobs, "knobs", "", "JSON of the knobs to begin with")
	f.BoolVar(&o.Vouches, "vouches", false, "an identity provider, which exchanges ID tokens for identity assertions")
	f.StringVar(&o.Trusts, "trusts", "", "issuer of the identity provider whose assertions are grants")
	f.StringVar(&e.clientKey, "client-key", "", "the file to write the private key of the client "+fakeworld.KeyClient+" to")
	f.StringVar(&e.workload, "workload", "", "the file to write an assertion of a workload to, with its key beside it in FILE.pem")
	f.StringVar(&e.certFile, "tls-cert", "", "https, and the file to write its certificate to")
	if err = f.Parse(args); err == nil {
		err = e.makeKeys(&o)
	}
	o.TLS = e.certFile != ""
	if *scopes != "" {
		o.Scopes = strings.Fields(*scopes)
	}
	if *paths != "" {
		o.Paths = strings.Fields(*paths)
	}
	return o, e, err
}
