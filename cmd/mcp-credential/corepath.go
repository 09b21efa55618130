//go:build !darwin

package main

import (
	"os"
	"path/filepath"
	"runtime"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/detach"
)

// corePath returns the core program, which lies beside this one: never one that PATH or the working directory offers.
func corePath() (string, error) {
	exe, err := os.Executable()
	if err == nil {
		exe, err = filepath.EvalSymlinks(exe)
	}
	if err != nil {
		return "", credential.Fail(credential.Internal, "cannot find my own program file", err)
	}
	name := "mcp-credential-core"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(filepath.Dir(exe), name), nil
}

// launch starts the core as a detached process.
func launch(args []string) error {
	exe, err := corePath()
	if err != nil {
		return err
	}
	return detach.Start(exe, args, os.Environ())
}
