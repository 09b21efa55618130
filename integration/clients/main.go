// Command clients is what calls mcp-credential in life, as the integration tests need it: the libraries of others, each as it finds
// and starts a credential helper. It is a module of its own, so that nothing of them comes near the product.
package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "clients:", err)
		os.Exit(1)
	}
}

// run does what the first word says, with those that follow.
func run(ctx context.Context, args []string) error {
	uses := map[string]func(context.Context, []string) error{"kubernetes": kubernetes, "docker": docker, "azure": azure}
	if len(args) == 0 || uses[args[0]] == nil {
		return fmt.Errorf("usage: clients kubernetes|docker|azure ...")
	}
	return uses[args[0]](ctx, args[1:])
}
