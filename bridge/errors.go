package bridge

import (
	"context"
	"errors"
	"strings"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
	"github.com/mcp-credential/mcp-credential/bridge/streamable"
	"github.com/mcp-credential/mcp-credential/bridge/token"
	"github.com/mcp-credential/mcp-credential/credential"
)

// The codes of the errors of our own, from the range that JSON-RPC leaves to implementations, away from the values that
// the MCP specification and its SDKs have given a meaning.
const (
	codeSignIn = -32010 // a person has to sign in; data.command is what to run, where there is a command
	codeServer = -32011 // the server could not be reached, or its answer is no MCP
)

// errorData is what an error response says to programs.
type errorData struct {
	Kind       string `json:"kind"`
	Server     string `json:"server"`
	Hint       string `json:"hint,omitempty"`
	Command    string `json:"command,omitempty"`
	MayHaveRun bool   `json:"mayHaveRun,omitempty"`
	RetryAfter int    `json:"retryAfterSeconds,omitempty"`
}

// What requests are told that were under way when the bridge ended, and what to do about one that the server may have
// carried out: whoever reads "try again" deletes twice.
const (
	ending     = "the bridge is ending"
	noResponse = "the server has ended its answer without a response"
	findOut    = "find out whether it took effect before you call it again"
)

// errorResponse tells the host why its request got no answer: what is wrong, and what to do about it.
func (b *bridge) errorResponse(id jsonrpc.ID, err error) []byte {
	mayHaveRun := err == nil || streamable.MayHaveRun(err)
	switch {
	case err == nil:
		err = credential.Fail(credential.Network, noResponse, nil)
	case errors.Is(err, context.Canceled):
		err = credential.Fail(credential.Network, ending, nil)
	}
	message, hint := err.Error(), b.Hint(err)
	data := errorData{Kind: credential.KindOf(err).String(), Server: b.URL, MayHaveRun: mayHaveRun}
	code := codeServer
	if token.NeedsSignIn(err) {
		code = codeSignIn
		_, data.Command, _ = strings.Cut(hint, ": ")
	}
	switch {
	case mayHaveRun && code == codeSignIn && hint != "":
		hint += "; then " + findOut
	case mayHaveRun:
		hint = findOut
	}
	if data.Hint = hint; hint != "" {
		message += "; " + hint
	}
	var typed *credential.Error
	if errors.As(err, &typed) {
		data.RetryAfter = int(typed.RetryAfter.Seconds() + 0.5)
	}
	return jsonrpc.NewError(id, code, message, data)
}

// reason is what a log says of a call that failed.
func reason(call *streamable.Call, err error) string {
	switch {
	case !errors.Is(err, context.Canceled):
		return err.Error()
	case call.Cancelled():
		return "the host has cancelled it"
	}
	return ending
}
