package core

import (
	"context"

	"github.com/mcp-credential/mcp-credential/cmd/call"
	"github.com/mcp-credential/mcp-credential/credential"
)

type logoutCmd struct {
	common
	URL     string `arg:"" optional:"" help:"Server URL."`
	Account string `help:"Only this sign-in of the server." placeholder:"LABEL"`
	All     bool   `help:"Every server."`
}

// Run signs out.
func (c logoutCmd) Run(ctx context.Context, s streams) error {
	if (c.URL == "") != c.All {
		return credential.Fail(credential.Usage, "logout takes a server URL, or --all", nil)
	}
	url := ""
	if c.URL != "" {
		var err error
		if url, err = credential.ParseServerURL(c.URL); err != nil {
			return err
		}
	}
	w, err := wire(c.common, s)
	if err != nil {
		return err
	}
	w.typed()
	gone, err := w.helper.Logout(ctx, url, c.Account)
	if credential.KindOf(err) == credential.NotFound {
		call.Say(s.err, err.Error()) // what was asked for is so already
		return nil
	}
	for _, server := range gone {
		call.Say(s.err, "signed out of "+server)
	}
	if len(gone) == 0 && err == nil {
		call.Say(s.err, "nobody is signed in")
	}
	return err
}
