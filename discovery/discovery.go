// Package discovery finds out, from the URL of an MCP server, which authorization server issues its tokens, for which
// resource and with which scopes (RFC 9728, RFC 8414, the MCP authorization specification). It belongs to the core and
// is the only importer of the MCP Go SDK, of which it uses the types and the header parser; the SDK's fetchers refuse
// private networks and Entra, and compare issuers loosely. Registering, signing in and remembering are left to source
// and helper.
package discovery

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/mcp-credential/mcp-credential/credential"
)

// Server is what a server says about itself. Everything in it is the server's word: whether a token may be spent on it
// is for helper to judge.
type Server struct {
	URL       string   // as it was given to Find
	Resource  string   // RFC 8707 resource, byte-exact from the metadata; the server URL where there is no metadata
	Name      string   // resource_name, printable; may be empty
	Scopes    []string // of the challenge, else all of scopes_supported, else nil
	Issuer    string   // the authorization server in use
	Issuers   []string // all that the metadata names
	Endpoints credential.Endpoints
	Microsoft bool // Issuer is Entra ID: Endpoints holds the issuer only
	Bound     bool // it takes no bearer token, and its authorization server gives tokens that are bound to a key (RFC 9449)
}

// Finder does discovery. Its fields may not change while it is in use; it may be used by several goroutines.
type Finder struct {
	Client *http.Client // of internal/webclient
	Trace  func(string) // told each step, without secrets; may be nil

	// Accepted returns what the user's configuration says about server. nil: nothing.
	Accepted func(server string) Accepted
}

// Accepted is what a person accepts of one server though the specifications demand otherwise, or demands besides them.
type Accepted struct {
	Resource    string // in the server's metadata, although it does not cover the server (see credential.Covers)
	Issuer      string // the only authorization server; it may differ by a slash at its end from what the server calls it
	MetadataURL string // the only place of the authorization server's metadata; with Issuer it stands in for the server's word
	AssumePKCE  bool   // the authorization server checks S256 though it does not announce that it can
}

func (f Finder) accepted(server string) Accepted {
	if f.Accepted == nil {
		return Accepted{}
	}
	return f.Accepted(server)
}

// Find asks serverURL (canonical, see credential.ParseServerURL) and its metadata. Errors are of kind Network,
// Misconfigured, BadAnswer (nothing there belongs to a sign-in, or a document cannot be used) or Hostile, and name the document at fault.
func (f Finder) Find(ctx context.Context, serverURL string) (Server, error) {
	asked, err := f.probe(ctx, serverURL)
	if err != nil {
		return Server{}, err
	}
	meta, err := f.resource(ctx, serverURL, asked)
	if err != nil {
		return Server{}, err
	}
	s := Server{URL: serverURL, Resource: serverURL}
	if meta != nil {
		s.Resource, s.Issuers = meta.Resource, meta.AuthorizationServers
		s.Name = credential.Printable(meta.ResourceName, 80)
		s.Scopes = meta.ScopesSupported
	}
	if asked.challenge.Scope != "" {
		s.Scopes = strings.Fields(asked.challenge.Scope)
	}
	if err := checkScopes(s.Scopes); err != nil {
		return Server{}, err
	}
	if s.Issuer, err = f.choose(serverURL, s.Issuers); err != nil {
		return Server{}, err
	}
	s.Endpoints, err = f.endpoints(ctx, serverURL, s.Issuer, asked)
	if err != nil {
		return Server{}, err
	}
	s.Issuer = s.Endpoints.Issuer
	s.Microsoft = Microsoft(s.Issuer)
	// A server asks for tokens that are bound to a key by its metadata (RFC 9728 section 2) or a challenge that takes no other,
	// and its authorization server says whether it gives them (RFC 9449 section 5.1).
	asks := asked.challenge.Scheme == SchemeDPoP || meta != nil && meta.DPOPBoundAccessTokensRequired
	s.Bound = asks && slices.Contains(s.Endpoints.Proofs, credential.ProofAlgorithm)
	if asks && !s.Bound {
		f.trace("the server asks for tokens that are bound to a key (DPoP), which its authorization server does not offer with " + credential.ProofAlgorithm)
	}
	return s, nil
}

// choose takes the configured issuer, else the first that the metadata names, else none. A configured issuer that the
// metadata does not name is an error: one of the two is wrong, and a token would go to the other. Who configures the place of
// its metadata too has looked at both: Atlassian and Slack name an issuer that the document there does not bear.
func (f Finder) choose(server string, issuers []string) (string, error) {
	accepted := f.accepted(server)
	want := accepted.Issuer
	i := slices.IndexFunc(issuers, func(issuer string) bool { return butSlash(issuer, want) })
	switch {
	case len(issuers) == 0, want != "" && accepted.MetadataURL != "":
		return want, nil
	case want == "":
		return issuers[0], nil
	case slices.Contains(issuers, want):
		return want, nil
	case i >= 0: // where its metadata is; what that calls it is compared with the configuration
		return issuers[i], nil
	}
	return "", credential.Fail(credential.Hostile, "the server's metadata does not name the authorization server that the configuration names", nil)
}

func (f Finder) endpoints(ctx context.Context, server, issuer string, asked answer) (credential.Endpoints, error) {
	if issuer == "" {
		return f.legacy(ctx, server, asked)
	}
	if err := checkReach(server, issuer, "issuer"); err != nil {
		return credential.Endpoints{}, err
	}
	return f.Issuer(ctx, server, issuer)
}

// resource returns the protected resource metadata, and nil where the server has none.
func (f Finder) resource(ctx context.Context, server string, asked answer) (*oauthex.ProtectedResourceMetadata, error) {
	places, err := resourceMetadataURLs(server, asked.challenge.ResourceMetadata)
	if err != nil {
		return nil, err
	}
	var meta oauthex.ProtectedResourceMetadata
	found, err := f.first(ctx, places, func(_ string, data []byte) error {
		meta = oauthex.ProtectedResourceMetadata{}
		return f.readResource(data, server, &meta)
	})
	if err != nil || !found {
		return nil, err
	}
	return &meta, nil
}

// resourceMetadataURLs lists where the metadata may be: where the challenge says, then the well-known place with the
// server's path, then the one without (RFC 9728 section 3.1). The challenge may name another origin: it comes from the
// server itself, which could as well publish the same words, and resource is checked wherever they come from.
func resourceMetadataURLs(server, named string) ([]string, error) {
	var places []string
	if named != "" {
		if err := checkReach(server, named, "resource_metadata URL"); err != nil {
			return nil, err
		}
		places = append(places, named)
	}
	u, err := url.Parse(server)
	if err != nil {
		return nil, credential.Fail(credential.BadInput, "the server URL cannot be read", nil)
	}
	root := credential.Origin(server) + "/.well-known/oauth-protected-resource"
	if path := strings.TrimSuffix(u.EscapedPath(), "/"); path != "" {
		places = append(places, root+path)
	}
	places = append(places, root)
	return slices.Compact(places), nil
}

func (f Finder) readResource(data []byte, server string, meta *oauthex.ProtectedResourceMetadata) error {
	if err := decode(data, meta); err != nil {
		return err
	}
	if meta.Resource == "" {
		return credential.Fail(credential.BadAnswer, "it has no resource", nil)
	}
	if meta.Resource != f.accepted(server).Resource && !credential.Covers(meta.Resource, server) {
		text := "it is about another resource, " + credential.Printable(meta.Resource, 200)
		if butSlash(meta.Resource, server) {
			text += ", which differs by the slash at its end" + credential.Accept(server, "resource", meta.Resource)
		}
		return credential.Fail(credential.Hostile, text, nil)
	}
	if len(meta.AuthorizationServers) == 0 {
		return credential.Fail(credential.BadAnswer, "it names no authorization server", nil)
	}
	return nil
}

// butSlash reports whether two URLs are the same but for a slash at the end.
func butSlash(a, b string) bool { return strings.TrimSuffix(a, "/") == strings.TrimSuffix(b, "/") }

func checkScopes(scopes []string) error {
	for _, s := range scopes {
		if !credential.CheckScope(s) {
			return credential.Fail(credential.Hostile, "the server names a scope with invalid characters", nil)
		}
	}
	return nil
}

// checkReach judges a URL that the party at from told us: credential.CheckEndpoint, and nobody elsewhere may send us
// to a port of this machine.
func checkReach(from, to, what string) error {
	if err := credential.CheckEndpoint(to, what); err != nil {
		return err
	}
	if onLoopback(to) && !onLoopback(from) {
		return credential.Fail(credential.Hostile, "the "+what+" points to this machine", nil)
	}
	return nil
}

func onLoopback(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && credential.Loopback(u.Hostname())
}

func (f Finder) trace(text string) {
	if f.Trace != nil {
		f.Trace(text)
	}
}
