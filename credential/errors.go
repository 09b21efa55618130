package credential

import (
	"context"
	"errors"
	"time"
)

// Kind says what went wrong in terms of what somebody can do about it. cmd maps each kind to an exit code and a hint;
// docs/protocol.md lists them.
type Kind int

// The kinds, grouped by exit code.
const (
	Internal Kind = iota // 1: our fault, or the machine's

	Usage    // 2: the command line is wrong
	BadInput // 2: the request, the URL or the configuration is malformed
	BadHome  // 2: the home directory cannot be trusted or written to

	NotFound    // 0 for git, 3 elsewhere: a server nobody has signed in to
	NoSignIn    // 3: a person has to sign in
	NotApproved // 3: a person has to approve this server, issuer and scopes
	SignInDead  // 3: the authorization server has refused the refresh token
	StepUp      // 3: more scopes or claims need a person
	Prompting   // 3: a sign-in is open in a browser already, or was a moment ago

	Network         // 4: the authorization server cannot be reached
	Throttled       // 4: it asked us to wait
	StillRefreshing // 4: a refresh is under way and goes on

	Refused       // 5: the authorization server refused for good
	Misconfigured // 5: client, scope or resource settings are wrong
	Untrusted     // 5: the certificate of a server does not hold on this machine
	BadAnswer     // 5: a server answers what cannot be used: no MCP, no token, too much, a page, a status
	Hostile       // 5: a server contradicts itself, its metadata or what was approved
	KeyBound      // 5: the token serves only who proves its key: the bridge

	KeychainLocked  // 6: locked, and nobody may be asked
	NoPassphrase    // 6: the encrypted file has no passphrase file, and nobody may be asked
	KeychainMissing // 6: no usable keychain
	KeychainBroken  // 6: it failed, timed out or the passphrase is wrong
)

// Error is an error with a kind. Text is one sentence for a person, without a trailing dot, free of secrets, response
// bodies and control characters.
type Error struct {
	Kind       Kind
	Text       string
	Server     string        // the server URL, where the hint should name it
	Account    string        // the label that was asked for, where the hint should name it
	Scopes     []string      // what a sign-in that helps has to ask for; StepUp: what the present one lacks
	Code       string        // the OAuth error code (RFC 6749 section 5.2) or vendor code, where there is one
	RetryAfter time.Duration // Throttled: how long the server asked us to wait; 0: it did not say
	Claims     string        // StepUp: what the sign-in has to prove, as JSON for the claims parameter (Entra ID); may be empty
	Forwarded  bool          // what helps is done on the machine at the other end of a forward
	Err        error
}

// Error returns the sentence, and the cause after a colon, but for the end of a context: the sentence says that itself, and
// its own words are Go's.
func (e *Error) Error() string {
	if e.Err == nil || e.Err == context.Canceled || e.Err == context.DeadlineExceeded {
		return e.Text
	}
	return e.Text + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ErrNoItem says that a keychain has no such item.
var ErrNoItem = errors.New("no such item in the keychain")

// Fail builds an Error; cause may be nil.
func Fail(kind Kind, text string, cause error) *Error {
	return &Error{Kind: kind, Text: text, Err: cause}
}

// KindOf returns the kind of the outermost Error in err's chain, and Internal where there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}
