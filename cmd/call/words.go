package call

import (
	"errors"
	"io"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
)

// This file is the one place where the product's words for people leave it. The policy: stdout carries the protocol
// and the answer of a command, nothing else; stderr carries one sentence per event, each line beginning with the
// program's name, then for an error a line that says what to do. No sentence holds a secret, a response body or a
// control character. Colours are not used.

// prefix begins every line on stderr.
const prefix = Program + ": "

// Say writes one sentence to w.
func Say(w io.Writer, text string) {
	_, _ = io.WriteString(w, prefix+clean(text)+"\n")
}

// Report tells err and what to do about it, and returns the exit code.
func Report(w io.Writer, err error) int {
	if err == nil {
		return 0
	}
	row := rows[credential.KindOf(err)]
	text := prefix + clean(err.Error()) + "\n"
	if hint := hint(row.hint, err); hint != "" {
		text += prefix + hint + "\n"
	}
	_, _ = io.WriteString(w, text)
	return row.code
}

// Hint returns what to do about err, as Report says it; "" where there is nothing to say.
func Hint(err error) string { return hint(rows[credential.KindOf(err)].hint, err) }

type row struct {
	code int
	hint string // URL stands for the server's URL, WAIT for how long to wait
}

// rows has every kind, with the exit code that docs/protocol.md lists.
var rows = map[credential.Kind]row{
	credential.Internal: {1, ""},

	credential.Usage:    {2, "see mcp-credential --help"},
	credential.BadInput: {2, ""},
	credential.BadHome:  {2, ""},

	credential.NotFound:    {3, "sign in with: mcp-credential login URL"},
	credential.NoSignIn:    {3, "sign in with: mcp-credential login URL"},
	credential.NotApproved: {3, "approve it with: mcp-credential login URL"},
	credential.SignInDead:  {3, "sign in again with: mcp-credential login URL"},
	credential.StepUp:      {3, "grant more with: mcp-credential login URL"},
	credential.Prompting:   {3, "finish it in the browser, or sign in with: mcp-credential login URL"},

	credential.Network:         {4, "try again WAIT; mcp-credential get --verbose tells more"},
	credential.Throttled:       {4, "try again WAIT"},
	credential.StillRefreshing: {4, "try again in a moment"},

	credential.Refused:       {5, "mcp-credential status tells how the sign-in fares; signing in again may help: mcp-credential login URL"},
	credential.Misconfigured: {5, "correct the setting it names: docs/config.md"},
	credential.Hostile:       {5, "nothing was sent to it; ask whoever runs the server"},

	credential.KeychainLocked:  {6, "unlock the keychain (signing in to the desktop does), then try again"},
	credential.KeychainMissing: {6, "choose one with MCPCRED_STORE: docs/keychains.md"},
	credential.KeychainBroken:  {6, "check the keychain or choose another with MCPCRED_STORE: docs/keychains.md"},
}

func hint(text string, err error) string {
	var e *credential.Error
	if !errors.As(err, &e) {
		return text
	}
	wait := "in a moment"
	if e.RetryAfter > 0 {
		wait = "in " + e.RetryAfter.String()
	}
	url := e.Server
	if url == "" {
		url = "URL"
	}
	return strings.NewReplacer("URL", clean(url), "WAIT", wait).Replace(text)
}

// clean keeps one event on one line, and a line to its size.
func clean(text string) string {
	return credential.Printable(strings.ReplaceAll(text, "\n", "; "), 2000)
}
