package core

import (
	"cmp"
	"context"

	"github.com/mcp-credential/mcp-credential/cmd/call"
	"github.com/mcp-credential/mcp-credential/config"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/helper"
	"github.com/mcp-credential/mcp-credential/internal/microsoft"
	"github.com/mcp-credential/mcp-credential/source"
	"github.com/mcp-credential/mcp-credential/source/entra"
	"github.com/mcp-credential/mcp-credential/source/oauth"
	"github.com/mcp-credential/mcp-credential/source/workload"
)

// machineFlags are the part of a question that leads to a machine identity, on the command line of a detached process.
type machineFlags struct {
	ClientID string `name:"client-id"`
	Identity string
	Tenant   string
	Scope    []string `sep:"none"`
}

func (f machineFlags) query(q credential.Query) credential.Query {
	q.ClientID, q.Identity, q.Tenant, q.Scopes, q.Principal = f.ClientID, f.Identity, f.Tenant, f.Scope, call.Principal(osGetenv)
	return q
}

// machineIdentity is a helper.Machine of some source.
type machineIdentity struct {
	who helper.Principal
	machineTokens
}

type machineTokens interface {
	Token(ctx context.Context, t credential.Target) (credential.Token, error)
	Key(salt []byte) (credential.Secret, error)
}

func (m machineIdentity) Principal() helper.Principal { return m.who }

// machine finds the machine identity for a question: named by --identity, or by the configuration unless an account is
// asked for, else described by the environment.
func (w sources) machine(q credential.Query, onlyNamed bool) (helper.Machine, bool, error) {
	c := w.config.Servers[q.URL]
	kind := q.Identity
	if kind == "" && q.Account == "" {
		kind = c.Identity
	}
	if kind == "" && q.Account == "" && c.IdentityProvider != "" {
		kind = managedKind
	}
	if kind == "" && onlyNamed {
		return nil, false, nil
	}
	m, err := w.identify(kind, q, c)
	if m == nil || err != nil {
		return nil, kind != "", err
	}
	return m, kind != "", nil
}

func (w sources) identify(kind string, q credential.Query, c config.Server) (helper.Machine, error) {
	scopes := q.Scopes
	if len(scopes) == 0 {
		scopes = c.Scopes
	}
	if kind == managedKind && c.IdentityProvider != "" {
		return w.managed(q, c, scopes)
	}
	if kind == oauth.ClientCredentials {
		return w.clientCredentials(q, c, scopes)
	}
	if (kind == entra.Workload || kind == entra.GitHub) && c.Issuer != "" && !microsoft.SignInHost(c.Issuer) {
		return w.federated(kind, q, c, scopes)
	}
	src, err := w.entra()
	if err != nil {
		return nil, err
	}
	id := entra.Identity{
		Kind: kind, Server: q.URL, Tenant: cmp.Or(q.Tenant, c.Tenant), Issuer: c.Issuer, ClientID: q.ClientID, Scopes: scopes,
	}
	if kind != "" { // else client_id is the one that people sign in with
		id.ClientID = cmp.Or(q.ClientID, c.ClientID)
		id.SecretFile, id.CertificateFile = c.ClientSecretFile, c.CertificateFile
		id.CertificatePassFile, id.FederatedTokenFile = c.CertificatePasswordFile, c.FederatedTokenFile
	}
	m, err := src.Identify(id, osGetenv)
	if m == nil || err != nil {
		return nil, err
	}
	return machineIdentity{helper.Principal{Kind: m.Kind, Issuer: m.Issuer, ClientID: m.ClientID, Scopes: m.Scopes}, m}, nil
}

// federated is the identity of a workload at the authorization server that the configuration names (SEP-1933).
func (w sources) federated(kind string, q credential.Query, c config.Server, scopes []string) (helper.Machine, error) {
	client, err := w.http()
	if err != nil {
		return nil, err
	}
	file := cmp.Or(c.FederatedTokenFile, osGetenv("AZURE_FEDERATED_TOKEN_FILE"))
	if kind == entra.Workload && file == "" {
		return nil, credential.Fail(credential.Misconfigured, "the machine identity (workload) is incomplete; config.toml lacks federated_token_file", nil)
	}
	if kind == entra.GitHub && osGetenv("ACTIONS_ID_TOKEN_REQUEST_URL") == "" {
		return nil, credential.Fail(credential.Misconfigured, "the machine identity (github) is incomplete; missing: ACTIONS_ID_TOKEN_REQUEST_URL (the job needs permissions: id-token: write)", nil)
	}
	src := oauth.New(source.Config{Client: client, Trace: w.trace})
	f := oauth.Federated{Source: src, Kind: kind, Issuer: c.Issuer, ClientID: cmp.Or(q.ClientID, c.ClientID)}
	f.Assertion = func(ctx context.Context) (credential.Secret, error) {
		if kind == entra.GitHub {
			return workload.GitHub(ctx, src.Config, osGetenv, cmp.Or(c.AssertionAudience, c.Issuer))
		}
		return workload.File(file)
	}
	return machineIdentity{helper.Principal{
		Kind: kind, Issuer: f.Issuer, ClientID: f.ClientID, Scopes: scopes, Resource: cmp.Or(c.Resource, q.URL), Lookup: true,
	}, f}, nil
}

// clientCredentials is an identity at any authorization server, which the configuration describes completely (SEP-1046).
func (w sources) clientCredentials(q credential.Query, c config.Server, scopes []string) (helper.Machine, error) {
	client, err := w.http()
	if err != nil {
		return nil, err
	}
	m := oauth.Machine{
		Source: oauth.New(source.Config{Client: client, Trace: w.trace}), Issuer: c.Issuer, ClientID: cmp.Or(q.ClientID, c.ClientID),
		SecretFile: c.ClientSecretFile, KeyFile: clientKey(c), AuthMethod: c.AuthMethod,
	}
	if err := m.Check(); err != nil {
		return nil, err
	}
	return machineIdentity{helper.Principal{
		Kind: oauth.ClientCredentials, Issuer: m.Issuer, ClientID: m.ClientID, Scopes: scopes, Resource: cmp.Or(c.Resource, q.URL), Lookup: true,
	}, m}, nil
}
