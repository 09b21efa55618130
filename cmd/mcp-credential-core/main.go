// Command mcp-credential-core is the core: sign-in, refresh, keychain and every command that the front cannot answer
// from the cache. Hosts call the front; the front, and detached copies of itself, call this program.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/mcp-credential/mcp-credential/cmd/call"
	"github.com/mcp-credential/mcp-credential/cmd/core"
)

func main() {
	call.RefuseDumps()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(core.Main(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr))
}
