//go:build !darwin

package main

import (
	"errors"
	"io/fs"
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

// cannotStart says why the core does not start, and where it comes from if it is not there: go install makes one program of two.
func cannotStart(exe string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return credential.Fail(credential.Internal, exe+" is not there; mcp-credential is two programs, so install the other one too: go install github.com/mcp-credential/mcp-credential/cmd/mcp-credential-core@latest", nil)
	}
	return credential.Fail(credential.Internal, "cannot start the core program "+exe, err)
}

// launch starts the core as a detached process.
func launch(args []string) error {
	exe, err := corePath()
	if err != nil {
		return err
	}
	return detach.Start(exe, args, os.Environ())
}
