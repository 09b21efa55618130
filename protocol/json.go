package protocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// jsonRequest is what a json request can say; unknown keys are ignored and null is as good as absent.
type jsonRequest struct {
	url, access, tokenType, expiresAt, refresh string
	issuer, clientID, account, challenge       string
	expiresIn                                  *int64
	scopes                                     []string
}

// jsonKey says where the value of a key goes, and what it must be, for the error.
type jsonKey struct {
	name string
	into any
	want string
}

func (in *jsonRequest) keys() []jsonKey {
	return []jsonKey{
		{"url", &in.url, "a string"},
		{"access_token", &in.access, "a string"},
		{"token_type", &in.tokenType, "a string"},
		{"expires_at", &in.expiresAt, "a string"},
		{"expires_in", &in.expiresIn, "a whole number of seconds"},
		{"refresh_token", &in.refresh, "a string"},
		{"issuer", &in.issuer, "a string"},
		{"client_id", &in.clientID, "a string"},
		{"account", &in.account, "a string"},
		{"scopes", &in.scopes, "a list of strings"},
		{"challenge", &in.challenge, "a string"},
	}
}

// decodeJSON reads one JSON object, by this machine's clock.
func decodeJSON(r io.Reader) (Request, error) {
	return jsonDecoder{now: time.Now}.decode(r)
}

// jsonDecoder has the clock that expires_in counts from.
type jsonDecoder struct{ now func() time.Time }

func (d jsonDecoder) decode(r io.Reader) (Request, error) {
	values, err := readObject(&limited{r, maxRequest})
	if err != nil {
		return Request{}, err
	}
	var in jsonRequest
	for _, key := range in.keys() {
		if raw, ok := values[key.name]; ok && json.Unmarshal(raw, key.into) != nil {
			return Request{}, bad("the key " + key.name + " of the JSON request must be " + key.want)
		}
	}
	return d.request(in)
}

// readObject reads one JSON object up to the end of r. encoding/json by itself would take the last of two equal keys,
// match keys without regard to case and ignore what follows: readers that differ there see different requests.
func readObject(r io.Reader) (map[string]json.RawMessage, error) {
	dec := json.NewDecoder(r)
	if open, err := dec.Token(); err != nil {
		return nil, jsonError(err)
	} else if open != json.Delim('{') {
		return nil, bad(notJSON)
	}
	values := map[string]json.RawMessage{}
	for dec.More() {
		var value json.RawMessage
		key, err := dec.Token()
		if err == nil {
			err = dec.Decode(&value)
		}
		if err != nil {
			return nil, jsonError(err)
		}
		name, _ := key.(string)
		if _, twice := values[name]; twice {
			return nil, bad("the JSON request has a key twice")
		}
		values[name] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, jsonError(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, bad("the JSON request has data after its object")
	}
	return values, nil
}

const notJSON = "the request is not one well-formed JSON object"

// jsonError gives an error of the decoder its kind. The text of a syntax error is dropped: it quotes the request.
func jsonError(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) || err == io.EOF || err == io.ErrUnexpectedEOF {
		return bad(notJSON)
	}
	return readError(err)
}

func (d jsonDecoder) request(in jsonRequest) (Request, error) {
	server, err := credential.ParseServerURL(in.url)
	if err != nil {
		return Request{}, err
	}
	expiry, err := d.expiry(in)
	if err != nil {
		return Request{}, err
	}
	if err := in.check(); err != nil {
		return Request{}, err
	}
	req := Request{
		Query: credential.Query{URL: server, Account: in.account, ClientID: in.clientID, Scopes: in.scopes,
			Challenge: in.challenge},
		Access:   credential.NewSecret(in.access),
		Expiry:   expiry,
		Refresh:  credential.NewSecret(in.refresh),
		Issuer:   in.issuer,
		ClientID: in.clientID,
	}
	if in.access != "" {
		req.Type = "Bearer" // the key alone says that it is a token
	}
	if err := req.check(); err != nil {
		return Request{}, err
	}
	return req, nil
}

// check judges what only json can carry.
func (in *jsonRequest) check() error {
	if in.tokenType != "" && !strings.EqualFold(in.tokenType, "Bearer") {
		return bad("the token_type of the JSON request is not Bearer")
	}
	for _, s := range in.scopes {
		if !credential.CheckScope(s) {
			return bad("the scopes of the JSON request contain a malformed one (RFC 6749 section 3.3)")
		}
	}
	for _, s := range []string{in.account, in.challenge} {
		if strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f }) {
			return bad("the account or the challenge of the JSON request contains a control character")
		}
	}
	return nil
}

// expiry is expires_at (RFC 3339), else expires_in seconds from now, else unknown.
func (d jsonDecoder) expiry(in jsonRequest) (time.Time, error) {
	const longest = 100 * 365 * 24 * 60 * 60
	switch {
	case in.expiresAt != "":
		at, err := time.Parse(time.RFC3339, in.expiresAt)
		if err != nil || at.Unix() > maxExpiry {
			return time.Time{}, bad("the expires_at of the JSON request is not an RFC 3339 time")
		}
		return at.UTC(), nil
	case in.expiresIn == nil:
		return time.Time{}, nil
	case *in.expiresIn < 0 || *in.expiresIn > longest:
		return time.Time{}, bad("the expires_in of the JSON request is not a lifetime in seconds")
	}
	return d.now().Add(time.Duration(*in.expiresIn) * time.Second).UTC(), nil
}

// jsonAnswer is the json answer, keys in this order.
type jsonAnswer struct {
	AccessToken string   `json:"access_token"`
	TokenType   string   `json:"token_type"`
	ExpiresAt   string   `json:"expires_at,omitempty"`
	Scopes      []string `json:"scopes"`
	Account     string   `json:"account"`
	Issuer      string   `json:"issuer"`
	Resource    string   `json:"resource"`
}

// encodeJSON writes one object on one line. expires_at is in UTC, rounded down to the second, and left out where it is
// unknown; every other key is always there.
func encodeJSON(w io.Writer, _ Request, t credential.Token) error {
	token, err := bearer(t)
	if err != nil {
		return err
	}
	answer := jsonAnswer{AccessToken: token, TokenType: "Bearer", Scopes: append([]string{}, t.Scopes...),
		ExpiresAt: rfc3339(t.Expiry), Account: t.Account, Issuer: t.Issuer, Resource: t.Resource}
	return writeJSON(w, answer)
}

// writeJSON writes one JSON value and a newline, with &, < and > as they are.
func writeJSON(w io.Writer, answer any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(answer); err != nil {
		return credential.Fail(credential.Internal, "the answer cannot be written as JSON", err)
	}
	return write(w, b.String())
}
