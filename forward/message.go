// Package forward carries questions for access tokens from one machine to another over a Unix socket, which ssh or a container's
// mount puts there, as ssh-agent's is. One connection carries one question and one answer, each a line of JSON. Access tokens
// and words for a person are all that can be answered. Who may have a token is decided by the server's Answer; how the token
// is kept at the other end is left to helper.
package forward

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// version is that of the messages. A field that may be ignored does not change it.
const version = 1

// maxLine bounds a message in bytes.
const maxLine = 256 << 10

// opGet is all that can be asked for.
const opGet = "get"

// Request is one question.
type Request struct {
	Server   string        // canonical
	Account  string        // label of the sign-in at the other end; empty: the server's default
	ClientID string        // of that sign-in; empty: any
	Scopes   []string      // besides the approved ones
	Need     []string      // scopes of a challenge
	Claims   string        // of a challenge: JSON for the claims parameter
	Force    bool          // a server has refused the token that the asker had
	Refused  string        // its credential.Secret.Fingerprint, where it is known
	Prompt   bool          // a person may be asked
	Wait     time.Duration // how long the asker waits
}

type wireRequest struct {
	Version  int      `json:"v"`
	Op       string   `json:"op"`
	Server   string   `json:"server"`
	Account  string   `json:"account,omitempty"`
	ClientID string   `json:"client_id,omitempty"`
	Scopes   []string `json:"scopes,omitempty"`
	Need     []string `json:"need,omitempty"`
	Claims   string   `json:"claims,omitempty"`
	Force    bool     `json:"force,omitempty"`
	Refused  string   `json:"refused,omitempty"`
	Prompt   bool     `json:"prompt,omitempty"`
	WaitMS   int64    `json:"wait_ms"`
}

// wireAnswer has times as spans: the clocks of two machines differ.
type wireAnswer struct {
	Version int        `json:"v"`
	Token   *wireToken `json:"token,omitempty"`
	Error   *wireError `json:"error,omitempty"`
}

type wireToken struct {
	Access    string   `json:"access_token"`
	Age       int64    `json:"age_ms"`
	ExpiresIn *int64   `json:"expires_in_ms,omitempty"` // absent: unknown
	RefreshIn *int64   `json:"refresh_in_ms,omitempty"` // absent: never
	Scopes    []string `json:"scopes,omitempty"`
	Account   string   `json:"account,omitempty"`
	Issuer    string   `json:"issuer,omitempty"`
	Resource  string   `json:"resource,omitempty"`
}

type wireError struct {
	Kind       string   `json:"kind"`
	Text       string   `json:"text"`
	Account    string   `json:"account,omitempty"`
	Scopes     []string `json:"scopes,omitempty"`
	Code       string   `json:"code,omitempty"`
	RetryAfter int64    `json:"retry_after_ms,omitempty"`
}

// readLine reads one message without its line end. Errors are io.EOF where there was nothing, and others of io and net.
func readLine(r io.Reader) ([]byte, error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxLine)).ReadBytes('\n')
	switch {
	case err == nil:
		return bytes.TrimSuffix(line, []byte("\n")), nil
	case err == io.EOF && len(line) == maxLine:
		return nil, errTooLong
	case err == io.EOF && len(line) > 0:
		return nil, io.ErrUnexpectedEOF
	}
	return nil, err
}

var errTooLong = errors.New("a message that is too long")

func line(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil { // of types that JSON has no word for: there are none in a message
		return []byte("{}\n")
	}
	return append(data, '\n')
}

func (r Request) encode() []byte {
	return line(wireRequest{
		version, opGet, r.Server, r.Account, r.ClientID, r.Scopes, r.Need, r.Claims, r.Force, r.Refused, r.Prompt, r.Wait.Milliseconds(),
	})
}

// Limits of what a request may hold.
const (
	maxScopes = 100
	maxClaims = 16 << 10
	maxClient = 2000
)

// decodeRequest reads a question that anybody may have written. Errors are of kind BadInput and Usage.
func decodeRequest(data []byte) (Request, error) {
	var w wireRequest
	if json.Unmarshal(data, &w) != nil {
		return Request{}, credential.Fail(credential.BadInput, "the question over the forward cannot be read", nil)
	}
	if w.Version != version {
		return Request{}, credential.Fail(credential.Usage, "the two ends of the forward have versions of mcp-credential that do not understand each other; update the older one", nil)
	}
	if w.Op != opGet {
		return Request{}, credential.Fail(credential.Usage, "a forward answers get and nothing else", nil)
	}
	wait := min(max(w.WaitMS, 0), credential.RefreshTotal.Milliseconds())
	r := Request{
		Server: w.Server, Account: w.Account, ClientID: w.ClientID, Scopes: w.Scopes, Need: w.Need, Claims: w.Claims,
		Force: w.Force, Refused: w.Refused, Prompt: w.Prompt, Wait: time.Duration(wait) * time.Millisecond,
	}
	return r, r.check()
}

func (r Request) check() error {
	url, err := credential.ParseServerURL(r.Server)
	if err != nil {
		return err
	}
	wrong := url != r.Server || !credential.CheckLabel(r.Account) || credential.Printable(r.ClientID, maxClient) != r.ClientID ||
		len(r.Scopes)+len(r.Need) > maxScopes || len(r.Claims) > maxClaims || credential.Printable(r.Refused, maxRefused) != r.Refused
	for _, scopes := range [][]string{r.Scopes, r.Need} {
		for _, s := range scopes {
			wrong = wrong || !credential.CheckScope(s)
		}
	}
	if wrong {
		return credential.Fail(credential.BadInput, "the question over the forward has a value that cannot be", nil)
	}
	return nil
}

// maxRefused bounds a fingerprint.
const maxRefused = 64
