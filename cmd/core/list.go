package core

import (
	"cmp"

	"github.com/mcp-credential/mcp-credential/cmd/call"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/protocol"
)

type listCmd struct {
	common
	Output string `short:"o" help:"Format of the answer: docker."`
}

// Run lists the servers that somebody has signed in to, for callers whose protocol has that word. There is no secret in it, and
// stdin is not read.
func (c listCmd) Run(s streams) error {
	f := call.Spoken(s.program)
	if name := cmp.Or(c.Output, f.Name); name != f.Name {
		f, _ = protocol.ByName(name)
	}
	if f.List == nil {
		return credential.Fail(credential.Usage, "list is for docker; mcp-credential status shows the servers", nil)
	}
	w, err := wire(c.common, s)
	if err != nil {
		return err
	}
	servers, err := w.helper.Records.Servers()
	if err != nil {
		w.helper.Warn(err.Error())
	}
	var urls []string
	for _, server := range servers {
		urls = append(urls, server.URL)
	}
	return f.List(s.out, urls)
}
