package core

import (
	"context"

	"github.com/mcp-credential/mcp-credential/cmd/call"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/helper"
)

type storeCmd struct{ call.Flags }

// Run keeps what a host has obtained elsewhere. It prints nothing.
func (c storeCmd) Run(ctx context.Context, s streams) error {
	w, r, err := open(c.Flags, s)
	if err != nil || w == nil {
		return err
	}
	if r.Format == "" {
		return credential.Fail(credential.Usage, "store takes the server and its token from stdin: leave the URL away, and say --input git or --input json", nil)
	}
	q := r.Query
	if q.ClientID == "" {
		q.ClientID = r.ClientID
	}
	if r.Ephemeral {
		return nil
	}
	return w.helper.Store(ctx, helper.Gift{
		Query: q, Access: r.Access, Bearer: r.Type == "Bearer", Expiry: r.Expiry,
		Refresh: r.Refresh, Issuer: r.Issuer, ClientID: q.ClientID, Ours: r.Ours,
	})
}

type eraseCmd struct{ call.Flags }

// Run takes back a refused token, or all tokens of a server. It prints nothing.
func (c eraseCmd) Run(ctx context.Context, s streams) error {
	w, r, err := open(c.Flags, s)
	if err != nil || w == nil {
		return err
	}
	return w.helper.Erase(ctx, r.Query, r.Access)
}

// open decodes a store or an erase and wires the helper. A nil wiring means that there is nothing to do: git tells
// every helper about every host.
func open(f call.Flags, s streams) (*wiring, call.Request, error) {
	r, err := call.Decode(f, s.program, osGetenv, s.in)
	if r.Format == "git" && silent(err) {
		return nil, r, nil
	}
	if err != nil {
		return nil, r, err
	}
	w, err := wire(common{Home: f.Home, Verbose: f.Verbose}, s)
	if err != nil || w.broken == nil {
		return w, r, err
	}
	if r.Format == "git" && r.Type == "" && r.Issuer == "" && !w.helper.Knows(r.Query) {
		return nil, r, nil
	}
	return nil, r, w.broken
}
