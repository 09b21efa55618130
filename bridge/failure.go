package bridge

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
)

// The codes of the errors that the bridge itself answers with. The two of its own are from the range that JSON-RPC
// leaves to implementations, away from the values that the MCP specification and its SDKs have given a meaning.
const (
	codeParse   = -32700
	codeInvalid = -32600
	codeSignIn  = -32010 // a person has to sign in; data.command is what to run, where there is a command
	codeServer  = -32011 // the server could not be reached, or its answer is no MCP
)

// failure is a JSON-RPC error response. A nil id becomes null.
func failure(id []byte, code int, message string, data []byte) []byte {
	if id == nil {
		id = []byte("null")
	}
	out := append([]byte(`{"jsonrpc":"2.0","id":`), id...)
	out = append(out, `,"error":{"code":`+strconv.Itoa(code)+`,"message":`+quote(message)...)
	if data != nil {
		out = append(append(out, `,"data":`...), data...)
	}
	return append(out, "}}"...)
}

// failureOf tells the host why its request got no answer: what is wrong, and what to do about it.
func (p *pump) failureOf(id []byte, err error) []byte {
	if err == nil {
		err = unsure(credential.Fail(credential.Network, "the server has ended its answer without a response", nil))
	}
	ran := mayHaveRun(err)
	if errors.Is(err, context.Canceled) {
		err = credential.Fail(credential.Network, ending, nil)
	}
	code := codeServer
	if needsPerson(err) {
		code = codeSignIn
	}
	message, hint := err.Error(), p.Hint(err)
	_, command, _ := strings.Cut(hint, ": ")
	switch {
	case ran && code == codeSignIn && hint != "":
		hint += "; then " + findOut
	case ran:
		hint = findOut
	}
	if hint != "" {
		message += "; " + hint
	}
	data := `{"kind":` + quote(credential.KindOf(err).String()) + `,"server":` + quote(p.URL)
	if hint != "" {
		data += `,"hint":` + quote(hint)
	}
	if code == codeSignIn && command != "" {
		data += `,"command":` + quote(command)
	}
	if ran {
		data += `,"mayHaveRun":true`
	}
	var typed *credential.Error
	if errors.As(err, &typed) && typed.RetryAfter > 0 {
		data += `,"retryAfterSeconds":` + strconv.Itoa(int(typed.RetryAfter.Seconds()+0.5))
	}
	return failure(id, code, message, []byte(data+"}"))
}

// What requests are told that were under way when the bridge ended, and what to do about one that the server may have
// carried out: whoever reads "try again" deletes twice.
const (
	ending  = "the bridge is ending"
	findOut = "find out whether it took effect before you call it again"
)

// doubt marks an error about a request that the server may have carried out, though there is no answer to it.
type doubt struct{ error }

// Unwrap returns the error itself.
func (d doubt) Unwrap() error { return d.error }

func unsure(err error) error { return doubt{err} }

func mayHaveRun(err error) bool {
	var d doubt
	return errors.As(err, &d)
}

// reason is what a log says of a call that failed.
func (p *pump) reason(c *call, err error) string {
	switch {
	case !errors.Is(err, context.Canceled):
		return err.Error()
	case c.dropped.Load():
		return "the host has cancelled it"
	}
	return ending
}

// fail builds an error about the server.
func (p *pump) fail(kind credential.Kind, text string, cause error) *credential.Error {
	return &credential.Error{Kind: kind, Text: text, Server: p.URL, Err: cause}
}

// needsPerson reports whether a sign-in cures err.
func needsPerson(err error) bool {
	if err == nil {
		return false
	}
	switch credential.KindOf(err) {
	case credential.NotFound, credential.NoSignIn, credential.NotApproved, credential.SignInDead, credential.StepUp, credential.Prompting:
		return true
	}
	return false
}

// forGood reports whether what failed with err will fail again until a person or another token changes that.
func forGood(err error) bool {
	switch credential.KindOf(err) {
	case credential.BadInput, credential.Refused, credential.Misconfigured, credential.Untrusted, credential.Hostile:
		return true
	}
	return needsPerson(err)
}
