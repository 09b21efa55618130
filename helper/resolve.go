package helper

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/microsoft"
	"github.com/mcp-credential/mcp-credential/state"
)

// records looks into what is recorded of servers and sign-ins.
type records struct{ *Helper }

// resolve finds the server, the account and the sign-in that a question means. It does no network. Errors are of kind
// NotFound (unknown server), NoSignIn, NotApproved or BadHome.
func (h *Helper) resolve(q credential.Query) (resolved, error) {
	server, err := records{h}.server(q)
	if err != nil {
		return resolved{}, err
	}
	s := resolved{server: server, settings: h.Settings(server.URL), dataKey: new(credential.Secret)}
	if i := s.settings.Issuer; i != "" && i != server.Issuer {
		return s, fail(credential.NotApproved, server.URL, "the configuration names issuer "+i+" but the sign-in is with "+server.Issuer)
	}
	label := cmp.Or(q.Account, s.settings.Account)
	account, ok := server.Account(label)
	if !ok {
		return s, fail(credential.NoSignIn, server.URL, noAccount(server, label))
	}
	s.account = account
	s.signIn, err = h.Records.SignIn(account.SignIn)
	if errors.Is(err, state.ErrNone) {
		if again, err := (records{h}).server(q); err == nil && !slices.EqualFunc(again.Accounts, server.Accounts, state.Account.Same) {
			return h.resolve(q) // another one has taken its place between the two records
		}
		return s, fail(credential.NoSignIn, server.URL, "the sign-in for "+server.URL+" is gone")
	}
	if err != nil {
		return s, err
	}
	if q.ClientID != "" && q.ClientID != s.signIn.ClientID {
		return s, fail(credential.NoSignIn, server.URL, "nobody has signed in to "+server.URL+" with client "+credential.Printable(q.ClientID, 80))
	}
	s.tokenID = credential.TokenID(s.signIn.ID, server.URL, server.Resource, account.Scopes)
	s.signIn = s.signIn.For(s.tokenID)
	return s, approvals{h}.stillConfigured(s)
}

// Knows reports whether a person or a host has given a sign-in for the server that a question means.
func (h *Helper) Knows(q credential.Query) bool {
	_, err := records{h}.server(q)
	return credential.KindOf(err) != credential.NotFound
}

func noAccount(server state.Server, label string) string {
	var known []string
	for _, a := range server.Accounts {
		if a.Label != "" {
			known = append(known, a.Label)
		}
	}
	text := "nobody has signed in to " + server.URL + " as " + credential.Printable(label, 80)
	if len(known) > 0 {
		text += " (signed in: " + strings.Join(known, ", ") + ")"
	}
	return text
}

// server finds the record for a question.
func (h records) server(q credential.Query) (state.Server, error) {
	s, err := meant(h.Records, q, h.Warn)
	if errors.Is(err, state.ErrNone) {
		return s, h.unknown(q)
	}
	return s, err
}

// meant is the server that a question is about, ErrNone where there is none. Callers that ask about every server may name only an
// origin, which is answered where exactly one server is known on it, or a path below a known server; every other caller means the
// exact URL.
func meant(records state.Records, q credential.Query, warn func(string)) (state.Server, error) {
	s, err := records.Server(q.URL)
	if !errors.Is(err, state.ErrNone) || !q.OriginOf && !q.Below {
		return s, err
	}
	all, damaged := records.Servers()
	if damaged != nil {
		warn(damaged.Error())
	}
	all = slices.DeleteFunc(all, func(s state.Server) bool {
		return credential.Origin(s.URL) != credential.Origin(q.URL) || q.Below && !credential.Covers(s.URL, q.URL)
	})
	if len(all) == 0 || q.OriginOf && len(all) != 1 {
		return state.Server{}, err
	}
	return slices.MaxFunc(all, func(x, y state.Server) int { return len(x.URL) - len(y.URL) }), nil
}

// ServerOf returns the URL of the one known server whose protected resource is asked for: by its URL, by the resource of its
// metadata, or at Entra ID by the App ID URI that its approved scopes belong to. Errors are of kind NotFound, and of kind Usage where
// it is the resource of several.
func ServerOf(records state.Records, resource string) (string, error) {
	all, _ := records.Servers() // a damaged one is not the one that is meant
	url, _ := credential.ParseServerURL(resource)
	ofApp := func(a state.Account) bool {
		return slices.ContainsFunc(a.Scopes, func(scope string) bool { return strings.Contains(scope, "/") && microsoft.App(scope) == resource })
	}
	all = slices.DeleteFunc(all, func(s state.Server) bool {
		return s.URL != url && s.Resource != resource && !(microsoft.SignInHost(s.Issuer) && slices.ContainsFunc(s.Accounts, ofApp))
	})
	switch len(all) {
	case 0:
		return "", credential.Fail(credential.NotFound, "nobody has signed in to a server whose resource is "+credential.Printable(resource, 200), nil)
	case 1:
		return all[0].URL, nil
	}
	return "", credential.Fail(credential.Usage, "several servers have that resource; name one of them by its URL: "+all[0].URL+", "+all[1].URL, nil)
}

// unknown says that nobody has signed in to a server, and which known one may be meant: the same but for a slash at the end
// or capitals, else the only one there.
func (h records) unknown(q credential.Query) error {
	text := "nobody has signed in to " + q.URL
	all, _ := h.Records.Servers()
	if near := nearest(q.URL, all); near != "" {
		text += ", but to " + near + "; is that the server you mean?"
	}
	return fail(credential.NotFound, q.URL, text)
}

func nearest(url string, all []state.Server) string {
	there := slices.DeleteFunc(slices.Clone(all), func(s state.Server) bool { return credential.Origin(s.URL) != credential.Origin(url) })
	alike := func(s state.Server) bool {
		return strings.EqualFold(strings.TrimSuffix(s.URL, "/"), strings.TrimSuffix(url, "/"))
	}
	if i := slices.IndexFunc(there, alike); i >= 0 {
		return there[i].URL
	}
	if len(there) == 1 {
		return there[0].URL
	}
	return ""
}

func fail(kind credential.Kind, server, text string) *credential.Error {
	return &credential.Error{Kind: kind, Server: server, Text: text}
}

// wanted returns the scopes that a question needs: what the configuration lists, else what was approved, and what the
// caller or a challenge adds.
func (s resolved) wanted(more []string) []string {
	base := s.account.Scopes
	if len(s.settings.Scopes) > 0 {
		base = s.settings.Scopes
	}
	return credential.JoinScopes(base, more)
}

// missing returns the wanted scopes that have never been asked for. What was asked for and not granted is not missing:
// asking again would change nothing.
func (s resolved) missing(more []string) []string {
	var out []string
	for _, scope := range s.wanted(more) {
		if !slices.Contains(s.account.Scopes, scope) && (s.signIn.Unbound || !slices.Contains(s.signIn.Granted, scope)) {
			out = append(out, scope)
		}
	}
	return out
}
