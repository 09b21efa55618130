package helper

import (
	"cmp"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

const (
	tenantIssuer = "https://login.microsoftonline.com/aaaabbbb-0000-cccc-1111-dddd2222eeee/v2.0"
	secondServer = "https://mcp2.example/mcp"
	testClient   = "00001111-aaaa-2222-bbbb-3333cccc4444"
)

// tenantRig is a rig whose servers belong to a tenant of Entra ID: refresh tokens are good for all of them.
type tenantRig struct {
	*rig
	finds    map[string]Found
	config   map[string]Settings
	who      string              // who signs in
	targets  []credential.Target // of sign-ins
	spent    []credential.Target // of refreshes
	failures map[string]error    // of refreshes, by server
}

func newTenantRig(t *testing.T) *tenantRig {
	r := &tenantRig{rig: newRig(t), finds: map[string]Found{}, config: map[string]Settings{}, who: "alice", failures: map[string]error{}}
	r.serve(testServer, "api://one/read")
	r.serve(secondServer, "api://two/read")
	r.Find = func(_ context.Context, url string, _ Settings) (Found, error) { return r.finds[url], nil }
	r.Helper.Settings = func(url string) Settings { return r.config[url] }
	r.Source = func(string) (Refresher, error) { return r, nil }
	r.Launch = func(args ...string) error {
		r.launched = append(r.launched, args)
		if args[0] == RefreshCommand {
			n := Renewal{Query: credential.Query{URL: args[1]}}
			for _, a := range args[2:] {
				if v, ok := strings.CutPrefix(a, "--claims="); ok {
					n.Claims = v
				} else if v, ok := strings.CutPrefix(a, "--refused="); ok {
					n.Refused = v
				}
			}
			_ = r.Refresh(t.Context(), n)
		}
		return nil
	}
	r.Person = func() Person { return r }
	return r
}

func (r *tenantRig) serve(url string, scopes ...string) {
	r.finds[url] = Found{Resource: url, Scopes: scopes, Source: "entra", Unbound: true,
		Endpoints: credential.Endpoints{Issuer: tenantIssuer, Token: "https://login.microsoftonline.com/token"}}
}

// Silent is the tenant: an old refresh token stays good.
func (r *tenantRig) Silent(_ context.Context, t credential.Target, g credential.Grant, _ string, keep func(credential.Grant) error) (credential.Answer, error) {
	r.spent = append(r.spent, t)
	if err := r.failures[t.Server]; err != nil {
		return credential.Answer{}, err
	}
	a := r.server.issue(t.Scopes)
	g.RefreshToken = a.Grant.RefreshToken
	return a, keep(g)
}

func (r *tenantRig) Revoke(context.Context, credential.Target, credential.Grant, string) error {
	return nil
}

func (r *tenantRig) SignIn(_ context.Context, _ string, _ Proposal, t credential.Target) (credential.Answer, error) {
	r.signIns++
	r.targets = append(r.targets, t)
	a := r.server.issue(t.Scopes)
	a.ClientID, a.AuthMethod, a.Subject, a.User = t.ClientID, "none", "oid-"+r.who, r.who
	return a, nil
}

func (r *tenantRig) loginTo(l Login) error {
	_, err := r.Login(r.t.Context(), l, r)
	return err
}

func (r *tenantRig) getFrom(url string, a Ask) (credential.Token, error) {
	a.Query.URL, a.Wait = url, cmp.Or(a.Wait, 5*time.Second)
	return r.Get(r.t.Context(), a)
}

func (r *tenantRig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}
