package main

import (
	"errors"
	"os"
	"os/exec"

	"github.com/mcp-credential/mcp-credential/cmd/call"
	"github.com/mcp-credential/mcp-credential/credential"
)

// core runs the core as a child that shares this process's console and handles, and returns its exit code. read is
// what was taken from stdin already: the core gets it again, through a pipe.
func core(args []string, read []byte) int {
	exe, err := corePath()
	if err != nil {
		return call.Report(os.Stderr, err)
	}
	child := exec.Cmd{Path: exe, Args: args, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	if read != nil {
		in, out, err := os.Pipe()
		if err != nil {
			return call.Report(os.Stderr, credential.Fail(credential.Internal, "cannot start the core program", err))
		}
		child.Stdin = in
		go func() {
			_, _ = out.Write(read)
			_ = out.Close()
		}()
	}
	err = child.Run()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return ended.ExitCode()
	}
	if err != nil {
		return call.Report(os.Stderr, cannotStart(exe, err))
	}
	return 0
}
