package core

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/mcp-credential/mcp-credential/cmd/call"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/helper"
	"github.com/mcp-credential/mcp-credential/internal/webclient"
	"github.com/mcp-credential/mcp-credential/source"
)

type loginCmd struct {
	common
	URL              string   `arg:"" help:"Server URL."`
	Account          string   `help:"Label for this sign-in, where a server has several." placeholder:"LABEL"`
	Name             string   `help:"What to call the server in messages." placeholder:"NAME"`
	ClientID         string   `name:"client-id" help:"OAuth client: an id, or the https URL of a client id metadata document." placeholder:"ID"`
	ClientSecretFile string   `name:"client-secret-file" help:"File that holds the client's secret." placeholder:"FILE"`
	CallbackPort     int      `name:"callback-port" help:"Redirect to http://localhost:PORT/callback." placeholder:"PORT"`
	Tenant           string   `help:"Entra ID tenant to sign in to: GUID or domain." placeholder:"TENANT"`
	Scope            []string `help:"Additional scope to ask for; can be repeated." sep:"none" placeholder:"SCOPE"`
	Device           bool     `xor:"way" help:"Sign in with a code on any device."`
	NoBrowser        bool     `name:"no-browser" xor:"way" help:"Print the address and accept the pasted redirect."`
	Force            bool     `help:"Sign in again even where a sign-in serves the server."`
}

// Run signs a person in.
func (c loginCmd) Run(ctx context.Context, s streams) error {
	url, err := credential.ParseServerURL(credential.WithScheme(c.URL)) // a person types it
	if err != nil {
		return err
	}
	for _, scope := range c.Scope {
		if !credential.CheckScope(scope) {
			return credential.Fail(credential.Usage, "--scope takes one scope (RFC 6749 section 3.3) and can be repeated", nil)
		}
	}
	if !credential.CheckLabel(c.Account) || !credential.CheckLabel(c.Name) {
		return credential.Fail(credential.Usage, "an account label or a name is at most 200 printable characters", nil)
	}
	if c.CallbackPort < 0 || c.CallbackPort >= 1<<16 {
		return credential.Fail(credential.Usage, "--callback-port takes a port, 1 to 65535", nil)
	}
	w, err := wire(c.common, s)
	if err == nil {
		err = w.broken
	}
	if err != nil {
		return err
	}
	w.allowAsking()
	out, err := w.helper.Login(ctx, helper.Login{
		URL: url, Account: c.Account, Name: c.Name, ClientID: c.ClientID, ClientSecretFile: c.ClientSecretFile, CallbackPort: c.CallbackPort, Tenant: c.Tenant,
		Scopes: c.Scope, Anew: c.Force,
	}, w.person(c.way(), false))
	if text := webclient.Detail(err); text != "" {
		w.trace("network: " + text)
	}
	if err != nil {
		return withServer(url, c.Account, err)
	}
	call.Say(s.err, outcome(out))
	if text := unseen(osGetenv); text != "" {
		call.Say(s.err, text)
	}
	return nil
}

// asLogin is this sign-in once more.
func (c loginCmd) asLogin() call.Login {
	l := call.Login{
		Account: c.Account, ClientID: c.ClientID, ClientSecretFile: c.ClientSecretFile, CallbackPort: c.CallbackPort,
		Tenant: c.Tenant, Name: c.Name,
		Scopes: c.Scope, Device: c.Device, NoBrowser: c.NoBrowser,
	}
	if !c.Verbose {
		l.More = "--verbose"
	}
	return l
}

// withServer names the server and the account in an error that does not, so that its hint can be copied.
func withServer(url, account string, err error) error {
	var e *credential.Error
	if errors.As(err, &e) {
		e.Server, e.Account = cmp.Or(e.Server, url), cmp.Or(e.Account, account)
	}
	return err
}

func (c loginCmd) way() source.Way {
	switch {
	case c.Device:
		return source.Device
	case c.NoBrowser:
		return source.NoBrowser
	}
	return source.Browser
}

func outcome(o helper.Outcome) string {
	text := "signed in to " + o.Server
	if !o.NewTab {
		text = "already signed in to " + o.Server
	}
	if o.Account != "" {
		text += " as " + o.Account
	}
	if !o.Token.Expiry.IsZero() {
		text += "; the access token is valid for " + o.Token.Left(time.Now())
	}
	if o.Token.Type == credential.TypeDPoP {
		text += "; it is bound to a key (DPoP), so that hosts need the bridge"
	}
	return text + "; kept in: " + o.Tier
}
