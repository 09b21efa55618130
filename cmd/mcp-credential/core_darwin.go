package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	corecmd "github.com/mcp-credential/mcp-credential/cmd/core"
	"github.com/mcp-credential/mcp-credential/internal/detach"
)

// core runs the core inside this process: on macOS the permissions of a keychain item belong to one signed program.
func core(args []string, read []byte) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	stdin, err := replay(read)
	if err != nil {
		return 1
	}
	return corecmd.Main(ctx, args, stdin, os.Stdout, os.Stderr)
}

// replay returns stdin, or a pipe that holds what was taken from it already: at most 64 KiB, which a pipe takes in a
// goroutine's time.
func replay(read []byte) (*os.File, error) {
	if read == nil {
		return os.Stdin, nil
	}
	in, out, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	go func() {
		_, _ = out.Write(read)
		_ = out.Close()
	}()
	return in, nil
}

// launch starts this program again as a detached process.
func launch(args []string) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	return detach.Start(exe, args, os.Environ())
}
