package forward

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// encodeAnswer writes a token, or what there is to say instead of one, at now.
func encodeAnswer(t credential.Token, err error, now time.Time) []byte {
	if err == nil && (t.Type == credential.TypeDPoP || !t.Key.IsZero()) {
		err = credential.OnlyBridge(t.Server) // the key stays here
	}
	if err != nil {
		return line(wireAnswer{Version: version, Error: newWireError(err)})
	}
	w := &wireToken{
		Access: t.Access.Reveal(), Age: max(now.Sub(t.Obtained), 0).Milliseconds(), Scopes: t.Scopes, Account: t.Account, Issuer: t.Issuer, Resource: t.Resource,
	}
	until := func(at time.Time) *int64 {
		if at.IsZero() {
			return nil
		}
		ms := at.Sub(now).Milliseconds()
		return &ms
	}
	w.ExpiresIn, w.RefreshIn = until(t.Expiry), until(t.RefreshAt)
	return line(wireAnswer{Version: version, Token: w})
}

func newWireError(err error) *wireError {
	w := &wireError{Kind: credential.KindOf(err).String(), Text: err.Error()}
	var e *credential.Error
	if errors.As(err, &e) {
		w.Account, w.Scopes, w.Code, w.RetryAfter = e.Account, e.Scopes, e.Code, e.RetryAfter.Milliseconds()
	}
	return w
}

// Limits of what is believed of an answer.
const (
	maxSpan = 10 * 365 * 24 * time.Hour
	maxText = 2000
)

func span(ms int64) time.Duration {
	return time.Duration(min(max(ms, -maxSpan.Milliseconds()), maxSpan.Milliseconds())) * time.Millisecond
}

// decodeAnswer reads an answer, at now, to a question about server. What the other end says went wrong there is a
// *credential.Error with the kind that it has there; an answer that is none is of kind BadAnswer.
func decodeAnswer(data []byte, server string, now time.Time) (credential.Token, error) {
	var w wireAnswer
	if json.Unmarshal(data, &w) != nil || w.Version != version || (w.Token == nil) == (w.Error == nil) {
		return credential.Token{}, badAnswer(server)
	}
	if w.Error != nil {
		return credential.Token{}, w.Error.err(server)
	}
	return w.Token.token(server, now)
}

func (w *wireToken) token(server string, now time.Time) (credential.Token, error) {
	t := credential.Token{
		Access: credential.NewSecret(w.Access), Type: "Bearer", Obtained: now.Add(-max(span(w.Age), 0)), Server: server,
		Scopes: w.Scopes, Account: credential.Printable(w.Account, maxText), Issuer: credential.Printable(w.Issuer, maxText), Resource: credential.Printable(w.Resource, maxText),
	}
	if !credential.CheckBearer(w.Access) || len(w.Scopes) > maxScopes || slices.ContainsFunc(w.Scopes, func(s string) bool { return !credential.CheckScope(s) }) {
		return credential.Token{}, badAnswer(server)
	}
	if w.ExpiresIn != nil {
		t.Expiry = now.Add(span(*w.ExpiresIn))
	}
	if w.RefreshIn != nil {
		t.RefreshAt = now.Add(span(*w.RefreshIn))
	}
	return t, nil
}

func (w *wireError) err(server string) error {
	kind := credential.KindNamed(w.Kind)
	if kind == credential.Internal && w.Kind != kind.String() || w.Text == "" {
		return badAnswer(server)
	}
	scopes := slices.DeleteFunc(w.Scopes, func(s string) bool { return !credential.CheckScope(s) })
	return &credential.Error{
		Kind: kind, Text: credential.Printable(w.Text, maxText), Server: server, Account: credential.Printable(w.Account, 200),
		Scopes: scopes[:min(len(scopes), maxScopes)], Code: credential.Printable(w.Code, 200), RetryAfter: min(max(span(w.RetryAfter), 0), time.Hour),
	}
}

func badAnswer(server string) error {
	return &credential.Error{Kind: credential.BadAnswer, Server: server, Text: "what answers over the forward does not speak its language, or another version of it"}
}
