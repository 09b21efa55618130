// Command demo shows the product from sign-in to sign-out, and ends with exit code 1 if anything that it shows is not
// as it should be. It brings its own world (an authorization server and a protected MCP server on loopback, a browser
// without a person) and its own home directory and keychain file, which it removes: nothing of the user's is touched.
// Building the programs that it shows is left to make.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/mcp-credential/mcp-credential/cmd/call"
	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	colour := call.Terminal(os.Stdout) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	code := run(ctx, os.Args, os.Stdout, os.Stderr, colour)
	stop()
	os.Exit(code)
}

// total ends a demo in which something hangs.
const total = time.Minute

func run(ctx context.Context, args []string, stdout, stderr io.Writer, colour bool) int {
	if os.Getenv(browserRole) != "" {
		return browse(ctx, args[1:], stderr)
	}
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	bin := flags.String("bin", "bin", "folder with the built programs")
	if err := flags.Parse(args[1:]); err != nil {
		return 2
	}
	ctx, cancel := context.WithTimeout(ctx, total)
	defer cancel()
	if err := play(ctx, *bin, screen{out: stdout, colour: colour}); err != nil {
		fmt.Fprintln(stderr, "demo:", err)
		return 1
	}
	return 0
}

// play sets the stage, shows every step and clears the stage, also after a failure and after Ctrl-C.
func play(ctx context.Context, bin string, s screen) (err error) {
	st, err := newStage(ctx, bin, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.clear()) }()
	began := time.Now()
	s.intro(st.url, st.world.Issuer())
	for i, step := range steps {
		s.title(i+1, step.title)
		if err := step.show(st); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("step %d is not as it should be: %w", i+1, err)
		}
	}
	s.outro(len(steps), time.Since(began))
	return nil
}

// browserRole names the variable that makes this program play the browser: BROWSER takes a program, without arguments.
const browserRole = "MCPCRED_DEMO_BROWSER"

// browse opens the URL and presses every button.
func browse(ctx context.Context, args []string, stderr io.Writer) int {
	err := errors.New("a browser takes one URL")
	if len(args) == 1 {
		_, err = fakeworld.Visit(ctx, args[0])
	}
	if err != nil {
		fmt.Fprintln(stderr, "demo browser:", err)
		return 1
	}
	return 0
}
