package source

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/url"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/loopback"
)

// Attempt is one sign-in by authorization code with PKCE (RFC 7636).
type Attempt struct {
	Redirect string // redirect_uri
	State    string
	Verifier string
}

// NewAttempt returns one with a state and a verifier of its own.
func NewAttempt() Attempt { return Attempt{State: rand.Text(), Verifier: rand.Text() + rand.Text()} }

// Request puts what binds the answer to this attempt into an authorization request.
func (a Attempt) Request(q url.Values) {
	sum := sha256.Sum256([]byte(a.Verifier))
	q.Set("state", a.State)
	q.Set("code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]))
	q.Set("code_challenge_method", "S256")
}

// Check wants the redirect of this very sign-in. Until it is that, nothing of it is shown, for it may come from elsewhere.
func (a Attempt) Check(values url.Values) error {
	for _, name := range []string{"state", "iss", "code", "error"} {
		if len(values[name]) > 1 {
			return credential.Fail(credential.Hostile, "the redirect gives "+name+" more than once", nil)
		}
	}
	if subtle.ConstantTimeCompare([]byte(values.Get("state")), []byte(a.State)) != 1 {
		return credential.Fail(credential.Hostile, "the redirect belongs to another sign-in", nil)
	}
	return nil
}

// Pasted shows the person an address and asks for the redirect until it is the right one: what was cut off, or copied from
// another page, can be pasted again.
func (a Attempt) Pasted(ctx context.Context, ui UI, address string) (url.Values, error) {
	if err := ui.OpenURL(ctx, address); err != nil {
		return nil, err
	}
	var wrong error
	for {
		text, err := ui.PastedRedirect(ctx, wrong)
		if err != nil {
			return nil, err
		}
		values, err := loopback.ParsePasted(text, a.Redirect)
		if err == nil {
			err = a.Check(values)
		}
		if err == nil {
			return values, nil
		}
		wrong = err
	}
}
