package core

import (
	"context"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/helper"
	"github.com/mcp-credential/mcp-credential/internal/wait"
)

// refreshCmd is the detached refresh (helper.Renewal).
type refreshCmd struct {
	common
	URL     string `arg:""`
	Account string
	Refused string
	Claims  string
	machineFlags
	Prompt string
	Apart  bool // the second of two: its parent is gone
}

// Run refreshes one sign-in. Its result is what it leaves in the cache and in the records.
func (c refreshCmd) Run(ctx context.Context, s streams) error {
	w, err := wire(c.common, s)
	if err != nil {
		return err
	}
	r := helper.Renewal{Query: c.query(credential.Query{URL: c.URL, Account: c.Account}), Refused: c.Refused, Claims: c.Claims, Prompt: c.Prompt != ""}
	if !c.Apart { // a host that kills its helper's descendants finds no way from the helper to the second process
		return w.launch(append(r.Args(), "--apart")...)
	}
	// SIGTERM at the wrong moment must not lose a rotated refresh token: the work is short and bounded, behind two locks at most.
	ctx, cancel := wait.WithTimeout(context.WithoutCancel(ctx), 2*credential.LockWait+credential.RefreshTotal)
	defer cancel()
	r.Prompt = r.Prompt && w.prompt("", c.URL)
	err = w.helper.Refresh(ctx, r)
	helper.Pruner{Helper: w.helper}.Prune(ctx)
	return err
}

// offerCmd is the detached sign-in that a get offers.
type offerCmd struct {
	common
	URL              string `arg:""`
	Account          string
	Name             string
	ClientID         string   `name:"client-id"`
	ClientSecretFile string   `name:"client-secret-file"`
	Scope            []string `sep:"none"`
}

// Run shows one sign-in to a person.
func (c offerCmd) Run(ctx context.Context, s streams) error {
	w, err := wire(c.common, s)
	if err != nil {
		return err
	}
	return w.helper.Offer(ctx, helper.Login{
		URL: c.URL, Account: c.Account, Name: c.Name, ClientID: c.ClientID, ClientSecretFile: c.ClientSecretFile, Scopes: c.Scope,
	})
}
