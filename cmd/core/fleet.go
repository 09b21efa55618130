package core

import (
	"cmp"
	"context"
	"strconv"

	"github.com/mcp-credential/mcp-credential/cache/postgres"
	"github.com/mcp-credential/mcp-credential/cmd/call"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/helper"
)

type fleetCmd struct {
	common
	Do      string `arg:"" enum:"init,key,rotate" help:"init: make the table; key: write a key file; rotate: seal every row under the newest key."`
	File    string `arg:"" optional:"" help:"Of key: the file, which must not exist yet."`
	Add     bool   `xor:"key" help:"Of key: add a key to the file."`
	DropOld bool   `name:"drop-old" xor:"key" help:"Of key: leave only the newest key in the file."`
}

// Run prepares what the machines of a fleet share.
func (c fleetCmd) Run(ctx context.Context, s streams) error {
	if c.Do == "key" {
		return c.key(s)
	}
	if c.File != "" || c.Add || c.DropOld {
		return credential.Fail(credential.Usage, "fleet "+c.Do+" takes no file and no flags of fleet key", nil)
	}
	w, err := wire(c.common, s)
	if err == nil {
		err = w.broken
	}
	if err != nil {
		return err
	}
	if c.Do == "init" {
		if err := (fleets{w}).store().Init(ctx); err != nil {
			return err
		}
		call.Say(s.err, "the table is there; roles for machines that may only get: "+call.Docs+"fleet.md")
		return nil
	}
	n, err := fleets{w}.store().Rekey(ctx)
	if n > 0 || err == nil {
		call.Say(s.err, "sealed anew under the newest key: "+strconv.Itoa(n))
	}
	return err
}

func (c fleetCmd) key(s streams) error {
	if c.File == "" {
		return credential.Fail(credential.Usage, "fleet key takes the path of the file", nil)
	}
	if c.DropOld {
		return postgres.RemoveOldKeys(c.File)
	}
	if err := postgres.NewKey(c.File, c.Add); err != nil {
		return err
	}
	call.Say(s.err, "the key is in "+c.File+"; whoever has it and the database has every sign-in")
	return nil
}

// fleets opens what a fleet of machines shares.
type fleets struct{ *wiring }

// store is the table that a fleet shares. Nothing is opened yet.
func (w fleets) store() *postgres.Store {
	return postgres.Open(postgres.Options{Dir: w.dir.Path, URLFile: w.config.PostgresURL, KeyFile: w.config.FleetKey, Trace: func(text string) { w.helper.Trace(text) }})
}

// of is helper.Helper.Fleet.
func (w fleets) of(ctx context.Context, server string) (helper.Fleet, error) {
	if cmp.Or(w.config.Servers[server].Store, osGetenv("MCPCRED_STORE"), w.config.Store) != postgres.Name {
		return nil, nil
	}
	kc, err := w.keychain(ctx, postgres.Name)
	f, _ := kc.(helper.Fleet)
	return f, err
}
