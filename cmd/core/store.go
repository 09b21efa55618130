package core

import (
	"cmp"
	"context"

	"github.com/mcp-credential/mcp-credential/cmd/call"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/helper"
)

type storeCmd struct{ call.Flags }

// Help is what "store --help" says besides the flags.
func (storeCmd) Help() string {
	return `It reads the server and its token from stdin, and prints nothing. A token is kept with its server; a refresh token needs its issuer
and client too, and is refreshed from then on:

  echo '{"url":"https://mcp.example.com/mcp","access_token":"..."}' | mcp-credential store --input json

The keys are url, access_token, expires_in or expires_at, refresh_token, issuer, client_id, scopes and account. As a helper
of git it takes git's own lines and keeps only what carries a Bearer token.`
}

// Run keeps what a host has obtained elsewhere. It prints nothing.
func (c storeCmd) Run(ctx context.Context, s streams) error {
	w, r, err := open(c.Flags, s)
	if err != nil || w == nil {
		return err
	}
	if r.Format == "" {
		return credential.Fail(credential.Usage, "store reads the server and its token from stdin; remove the URL, and use --input git or --input json", nil)
	}
	q := r.Query
	q.ClientID = cmp.Or(q.ClientID, r.ClientID)
	if r.Ephemeral {
		return nil
	}
	return w.helper.Store(ctx, helper.Import{
		Query: q, Access: r.Access, Bearer: r.Type == "Bearer", Expiry: r.Expiry,
		Refresh: r.Refresh, Issuer: r.Issuer, ClientID: q.ClientID, Ours: r.Ours,
	})
}

type eraseCmd struct{ call.Flags }

// Help is what "erase --help" says besides the flags.
func (eraseCmd) Help() string {
	return `With a URL it forgets every access token of that server. With a request on stdin that names the refused token it forgets that
one alone, so that a caller that is late does not throw away the new one. The sign-in stays; the next get refreshes:

  mcp-credential erase https://mcp.example.com/mcp
  echo '{"url":"https://mcp.example.com/mcp","access_token":"..."}' | mcp-credential erase --input json`
}

// Run takes back a refused token, or all tokens of a server. It prints nothing.
func (c eraseCmd) Run(ctx context.Context, s streams) error {
	w, r, err := open(c.Flags, s)
	if err != nil || w == nil {
		return err
	}
	return w.helper.Erase(ctx, r.Query, r.Access)
}

// open decodes a store or an erase and wires the helper. A nil wiring means that there is nothing to do: git and its
// like tell every helper about every host.
func open(f call.Flags, s streams) (*wiring, call.Request, error) {
	r, err := call.Decode(f, s.program, osGetenv, s.in)
	if r.Input.Everywhere && silent(err) {
		return nil, r, nil
	}
	if err != nil {
		return nil, r, err
	}
	w, err := wire(common{Home: f.Home, Verbose: f.Verbose}, s)
	if err != nil || w.broken == nil {
		return w, r, err
	}
	if r.Input.Everywhere && r.Type == "" && r.Issuer == "" && !w.helper.Knows(r.Query) {
		return nil, r, nil
	}
	return nil, r, w.broken
}
