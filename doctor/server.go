package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/discovery"
	"github.com/mcp-credential/mcp-credential/helper"
	"github.com/mcp-credential/mcp-credential/state"
)

// Names of the checks of one server.
const (
	checkReach         = "reach"
	checkDiscovery     = "discovery"
	checkAuthorization = "authorization"
	checkSignIn        = "sign-in"
	checkToken         = "token"
	checkAudience      = "audience"
	checkCall          = "call"
)

// Client asks servers.
type Client struct {
	// Try asks a server with a token, or without one; see discovery.Finder.Try.
	Try func(ctx context.Context, url string, token credential.Token) (discovery.Reply, error)
	// Find does discovery as a sign-in would. steps are the documents that it asked for, with the status of each.
	Find func(ctx context.Context, url string) (found helper.Found, steps []string, err error)
	// Lines is helper.Helper.Status.
	Lines func(ctx context.Context, url string) ([]helper.Line, error)
	// Get returns the access token that the server gets, without asking a person.
	Get func(ctx context.Context, url, account string) (credential.Token, error)
	// Registered reports whether the configuration names a client for the server.
	Registered func(url string) bool
}

// server is one server with one account, on its way through the checks.
type server struct {
	Machine
	Client
	url, account string
	clocks       *clocks
	found        helper.Found
	token        credential.Token
}

// checks are those of one account of one server, each for what the one before has left.
func (s *server) checks(subject string) []Check {
	on := func(names ...string) (out []string) {
		for _, name := range names {
			out = append(out, name+" "+subject)
		}
		return out
	}
	network := []string{checkCertificates}
	if proxied(s.url) {
		network = append(network, checkProxy)
	}
	abroad := on(checkReach)
	if !local(s.url) { // its authorization server may be behind the proxy, even where itself is not
		abroad = append(abroad, checkProxy)
	}
	list := []Check{
		{Name: checkReach, After: network, Run: s.reach},
		{Name: checkDiscovery, After: append(abroad, checkHome, checkConfig), Run: s.discovery},
		{Name: checkAuthorization, After: on(checkDiscovery), Run: s.authorization},
		{Name: checkSignIn, After: []string{checkHome, checkConfig, checkKeychain}, Run: s.signIn},
		{Name: checkToken, After: append(on(checkDiscovery, checkSignIn), checkClock), Run: s.getToken},
		{Name: checkAudience, After: on(checkToken), Run: s.audience},
		{Name: checkCall, After: on(checkAudience), Run: s.call},
	}
	for i := range list {
		list[i].Subject, list[i].Run = subject, s.withoutQuery(list[i].Run)
	}
	return list
}

// withoutQuery is a check whose finding does not hold the query of the server's URL, where some servers want a key.
func (s *server) withoutQuery(run func(context.Context) Finding) func(context.Context) Finding {
	return func(ctx context.Context) Finding {
		f := run(ctx)
		f.Detail, f.Fix = strings.ReplaceAll(f.Detail, s.url, shown(s.url)), strings.ReplaceAll(f.Fix, s.url, shown(s.url))
		return f
	}
}

func (s *server) reach(ctx context.Context) Finding {
	r, err := s.Try(ctx, s.url, credential.Token{})
	if credential.KindOf(err) == credential.Network {
		return fail(err.Error(), "check the address, the network and whether the server runs")
	}
	if err != nil {
		return s.about(err)
	}
	s.clocks.add(r.Date, s.Now())
	took := fmt.Sprintf("answers %d in %s", r.Status, milliseconds(r.Took))
	switch {
	case r.Location != "":
		return fail("the server has moved to "+shown(r.Location), "sign in there: mcp-credential login "+shown(r.Location)+", and change the URL where it is configured")
	case r.Status == http.StatusNotFound || r.Status == http.StatusGone:
		return fail("there is no MCP server at this address: it "+took, "check the URL; servers often end with /mcp")
	case r.Status >= 500:
		return fail("the server "+took, "try again later, or ask whoever runs it")
	case r.Status == http.StatusUnauthorized && r.Challenge.Scheme == "":
		return warn("the server "+took+", without a challenge that says who signs in", "it works where the server has metadata; ask whoever runs it to send WWW-Authenticate: Bearer")
	}
	return ok("the server " + took)
}

// discovery finds out who issues tokens, and compares that with what the sign-in was made with.
func (s *server) discovery(ctx context.Context) Finding {
	found, steps, err := s.Find(ctx, s.url)
	if err != nil {
		return s.about(err)
	}
	s.found = found
	record, err := s.Records.Server(s.url)
	if err == nil && record.Source == found.Source {
		if record.Issuer != found.Endpoints.Issuer {
			return s.moved("its tokens come from "+shown(found.Endpoints.Issuer)+" now", "from "+shown(record.Issuer))
		}
		if record.Resource != found.Resource {
			return s.moved("its resource is "+shown(found.Resource)+" now", "for "+shown(record.Resource))
		}
	}
	detail := "tokens come from " + shown(found.Endpoints.Issuer)
	if found.Resource != s.url {
		detail += ", for the resource " + shown(found.Resource)
	}
	for _, step := range steps {
		detail += "; " + step
	}
	return ok(detail)
}

func (s *server) moved(now, was string) Finding {
	return fail("the server has moved: "+now+", and the sign-in was "+was, "sign in again: "+s.login())
}

// login is the command that signs this account in again.
func (s *server) login() string {
	return strings.TrimPrefix(s.Hint(&credential.Error{Kind: credential.SignInDead, Server: s.url, Account: s.account}), "sign in again with: ")
}

func (s *server) authorization(context.Context) Finding {
	if s.found.Source == "entra" {
		return ok("Entra ID: browser or device sign-in; one sign-in for every approved server of the tenant")
	}
	e := s.found.Endpoints
	registration := "registration by id document"
	switch {
	case e.ClientIDDocs:
	case e.Registration != "":
		registration = "dynamic registration"
	default:
		registration = "no registration"
	}
	can := []string{registration}
	for _, c := range []struct {
		has  bool
		name string
	}{
		{slices.Contains(e.PKCE, "S256"), "PKCE"},
		{slices.Contains(e.Proofs, credential.ProofAlgorithm), "tokens bound to a key (DPoP)"}, {e.Device != "", "device sign-in"}, {e.Revocation != "", "revocation"}, {e.IssInResponse, "issuer in its answers"},
		{slices.Contains(e.GrantTypes, "refresh_token"), "refresh tokens"}, {slices.Contains(e.GrantTypes, "client_credentials"), "client credentials"},
	} {
		if c.has {
			can = append(can, c.name)
		}
	}
	detail := strings.Join(can, ", ")
	_, err := s.Records.Server(s.url)
	if e.PKCE == nil && err != nil && !s.Registered(s.url) {
		return fail(detail+"; it does not announce PKCE with S256, which protects the sign-in", strings.TrimPrefix(credential.Accept(s.url, "assume_pkce", "true"), "; "))
	}
	if registration == "no registration" && err != nil && !s.Registered(s.url) {
		return warn(detail, "register a client there, then: mcp-credential login "+shown(s.url)+" --client-id ID")
	}
	return ok(detail)
}

// signIn looks at the record and for the keychain's item.
func (s *server) signIn(ctx context.Context) Finding {
	record, err := s.Records.Server(s.url)
	if errors.Is(err, state.ErrNone) {
		return s.withoutSignIn(ctx)
	}
	if err != nil {
		return s.about(err)
	}
	account, known := record.Account(s.account)
	if !known {
		return fail("nobody has signed in as "+s.account, s.login())
	}
	si, err := s.Records.SignIn(account.SignIn)
	if err != nil {
		return fail("the record of the sign-in is gone", s.login())
	}
	if si.Dead != nil {
		return fail("the sign-in has ended "+span(s.Now().Sub(si.Dead.At))+" ago: "+cmp.Or(si.Dead.Reason, "its refresh token was refused"), s.login())
	}
	kc, err := s.Keychain(ctx, si.Keychain)
	if err == nil {
		_, err = kc.Get(ctx, si.ID)
	}
	if errors.Is(err, credential.ErrNoItem) {
		return fail(kc.Tier()+" has no item for this sign-in; somebody deleted it, or the home was copied", s.login()+" --force")
	}
	if err != nil {
		return s.about(err)
	}
	return s.age(si, kc.Tier())
}

// age says how old the sign-in is and when it ends.
func (s *server) age(si state.SignIn, tier string) Finding {
	now := s.Now()
	detail := "signed in " + span(now.Sub(si.Created)) + " ago; in " + tier
	switch left := si.RefreshExpires.Sub(now); {
	case si.NoRefresh:
		return warn(detail+"; there is no refresh token, so it ends with its access token", "some servers give one for the scope offline_access: "+s.login()+" --scope offline_access")
	case si.RefreshExpires.IsZero():
		detail += "; its end is not known"
	case left <= 0:
		return fail(detail+"; it ended "+span(left)+" ago", s.login())
	case left < 48*time.Hour:
		return warn(detail+"; it ends in "+span(left), "sign in ahead of that: "+s.login()+" --force")
	default:
		detail += "; it ends in " + span(left)
	}
	if si.LastError != nil {
		return warn(detail+"; the last refresh failed "+span(now.Sub(si.LastError.At))+" ago: "+si.LastError.Text, s.Hint(si.LastError.Err()))
	}
	return ok(detail)
}

// withoutSignIn is a server that a machine identity serves, or nobody.
func (s *server) withoutSignIn(ctx context.Context) Finding {
	lines, _ := s.Lines(ctx, s.url)
	i := slices.IndexFunc(lines, func(l helper.Line) bool { return l.Identity != "" })
	if i >= 0 {
		return ok("no person: the machine identity " + lines[i].Identity)
	}
	return fail("nobody is signed in", "sign in: mcp-credential login "+shown(s.url))
}

func (s *server) getToken(ctx context.Context) Finding {
	t, err := s.Get(ctx, s.url, s.account)
	if err != nil {
		return s.about(err)
	}
	s.token = t
	detail := "valid for " + t.Left(s.Now())
	if t.Type == credential.TypeDPoP {
		detail += "; bound to a key (DPoP), which the bridge alone proves"
	}
	claims, readable := readClaims(t.Access)
	if !readable {
		return ok(detail + "; opaque")
	}
	return ok(detail + "; " + claims.String())
}

// audience compares what the token says of itself with the server. Where they differ, the server decides.
func (s *server) audience(ctx context.Context) Finding {
	claims, readable := readClaims(s.token.Access)
	want := "for " + shown(s.found.Resource)
	switch {
	case !readable:
		return ok("the token does not say; it was asked for " + shown(cmp.Or(s.token.Resource, s.found.Resource)))
	case len(claims.Audience) == 0:
		return warn("the token names no audience", "ask whoever runs the authorization server; a server should refuse such a token")
	case claims.covers(s.url, s.found.Resource, s.token.Resource, s.token.Scopes):
		return ok(want)
	}
	detail := "the token is for " + strings.Join(claims.Audience, ", ") + ", not " + want
	if r, err := s.Try(ctx, s.url, s.token); err == nil && r.Status != http.StatusUnauthorized && r.Status != http.StatusForbidden {
		return warn(detail+"; the server takes it all the same", "nothing, if that is how this authorization server names it")
	}
	return fail(detail+", and the server refuses it", "name the right one in config.toml (resource, or scopes for Entra ID), then: "+s.login()+" --force")
}

// call makes one call as a host would.
func (s *server) call(ctx context.Context) Finding {
	r, err := s.Try(ctx, s.url, s.token)
	if err != nil {
		return s.about(err)
	}
	answer := fmt.Sprintf("initialize answers %d in %s", r.Status, milliseconds(r.Took))
	switch {
	case r.Status == http.StatusForbidden && r.Challenge.Scope != "":
		return fail("the server wants more scopes: "+r.Challenge.Scope, s.login()+scopeFlags(r.Challenge.Scope))
	case r.Status == http.StatusUnauthorized:
		return fail("the server refuses the token"+because(r.Challenge), "have it replaced: mcp-credential erase "+shown(s.url)+"; if it stays so: "+s.login()+" --force")
	case r.Status == http.StatusForbidden:
		return fail("the server forbids the call"+because(r.Challenge), "ask whoever runs the server what this account may do")
	case r.Status >= 400:
		return warn(answer, "the token was taken; ask whoever runs the server what else it wants")
	}
	return ok(answer)
}

func because(c discovery.Challenge) string {
	if c.Error == "" {
		return ""
	}
	return " (" + c.Error + ")"
}

func scopeFlags(scopes string) (flags string) {
	for _, scope := range credential.SplitScope(scopes) {
		flags += " --scope " + scope
	}
	return flags
}
