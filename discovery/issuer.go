package discovery

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/microsoft"
)

// Microsoft reports whether issuer is Entra ID: https, one of its sign-in hosts, the default port. Its metadata is not
// asked for: it has no RFC 8414 document, a template for an issuer, and does not announce PKCE.
func Microsoft(issuer string) bool { return microsoft.SignInHost(issuer) }

// serverMeta is the SDK's document with the members that it leaves out (RFC 8628 section 4, RFC 9449 section 5.1).
type serverMeta struct {
	oauthex.AuthServerMeta
	Device string   `json:"device_authorization_endpoint"`
	Proofs []string `json:"dpop_signing_alg_values_supported"`
}

// Issuer fetches the metadata of an authorization server that is known already, as that of server. The document's issuer
// must equal issuer byte by byte (RFC 8414 section 3.3). For Entra ID nothing is fetched.
func (f Finder) Issuer(ctx context.Context, server, issuer string) (credential.Endpoints, error) {
	want := f.accepted(server).Issuer
	is := func(named string) bool { return named == issuer || named == want && butSlash(named, issuer) }
	e, found, err := f.metadata(ctx, server, issuer, is)
	if err == nil && !found {
		err = credential.Fail(credential.Misconfigured, "the authorization server "+credential.Printable(issuer, 200)+" publishes no metadata"+f.misplaced(ctx, server, issuer, is), nil)
	}
	return e, err
}

// misplaced says where the metadata of an issuer is that is at none of the well-known places, if it is at one that they are
// often mistaken for.
func (f Finder) misplaced(ctx context.Context, server, issuer string, is func(named string) bool) string {
	origin := credential.Origin(issuer)
	path := strings.TrimSuffix(strings.TrimPrefix(issuer, origin), "/")
	if path == "" || f.accepted(server).MetadataURL != "" {
		return ""
	}
	for _, place := range []string{
		origin + path + "/.well-known/oauth-authorization-server",
		origin + "/.well-known/oauth-authorization-server",
		origin + "/.well-known/openid-configuration",
	} {
		found, err := f.first(ctx, []string{place}, func(place string, data []byte) error {
			_, err := readMetadata(data, place, server, issuer, is)
			return err
		})
		if err == nil && found {
			return " where RFC 8414 has it, but at " + place + credential.Accept(server, "metadata_url", place)
		}
	}
	return ""
}

// metadata looks where the configuration says that the metadata is, else where that of an issuer may be; is judges the issuer
// that the document names.
func (f Finder) metadata(ctx context.Context, server, issuer string, is func(named string) bool) (credential.Endpoints, bool, error) {
	if err := credential.CheckEndpoint(issuer, "issuer"); err != nil {
		return credential.Endpoints{}, false, err
	}
	if Microsoft(issuer) {
		return credential.Endpoints{Issuer: issuer}, true, nil
	}
	places, err := issuerMetadataURLs(issuer)
	accepted := f.accepted(server)
	if accepted.MetadataURL != "" {
		places, err = []string{accepted.MetadataURL}, nil
	}
	if err != nil {
		return credential.Endpoints{}, false, err
	}
	var e credential.Endpoints
	found, err := f.first(ctx, places, func(place string, data []byte) error {
		var err error
		e, err = readMetadata(data, place, server, issuer, is)
		return err
	})
	if accepted.AssumePKCE && e.PKCE == nil {
		e.PKCE = []string{"S256"}
	}
	return e, found, err
}

// issuerMetadataURLs lists where the metadata of an issuer may be, in the order of the MCP specification: RFC 8414, then
// OpenID Connect Discovery with the path inserted, then appended.
func issuerMetadataURLs(issuer string) ([]string, error) {
	u, err := url.Parse(issuer)
	if err != nil || u.RawQuery != "" || u.ForceQuery {
		return nil, credential.Fail(credential.Hostile, "the issuer has a query component (RFC 8414 section 2 forbids it)", nil)
	}
	origin, path := credential.Origin(issuer), strings.TrimSuffix(u.EscapedPath(), "/")
	places := []string{
		origin + "/.well-known/oauth-authorization-server" + path,
		origin + "/.well-known/openid-configuration" + path,
	}
	if path != "" {
		places = append(places, origin+path+"/.well-known/openid-configuration")
	}
	return places, nil
}

func readMetadata(data []byte, place, server, issuer string, is func(named string) bool) (credential.Endpoints, error) {
	var m serverMeta
	if err := decode(data, &m); err != nil {
		return credential.Endpoints{}, err
	}
	if !is(m.Issuer) {
		text := "it belongs to the issuer " + credential.Printable(m.Issuer, 200) + " and not to " + credential.Printable(issuer, 200)
		switch {
		case butSlash(m.Issuer, issuer):
			text += "; they differ by the slash at the end" + credential.Accept(server, "issuer", m.Issuer)
		case credential.Origin(m.Issuer) == credential.Origin(issuer):
			text += ", on the same host" + credential.Accept(server, "issuer", m.Issuer) + ", with metadata_url = " + strconv.Quote(place)
		}
		return credential.Endpoints{}, credential.Fail(credential.Hostile, text, nil)
	}
	if m.TokenEndpoint == "" {
		return credential.Endpoints{}, credential.Fail(credential.BadAnswer, "it has no token_endpoint", nil)
	}
	e := m.endpoints()
	return e, checkEndpoints(e)
}

func (m serverMeta) endpoints() credential.Endpoints {
	return credential.Endpoints{
		Issuer:        m.Issuer,
		Authorization: m.AuthorizationEndpoint,
		Token:         m.TokenEndpoint,
		Device:        m.Device,
		Registration:  m.RegistrationEndpoint,
		Revocation:    m.RevocationEndpoint,
		AuthMethods:   m.TokenEndpointAuthMethodsSupported,
		SigningAlgs:   m.TokenEndpointAuthSigningAlgValuesSupported,
		GrantTypes:    m.GrantTypesSupported,
		Scopes:        m.ScopesSupported,
		PKCE:          m.CodeChallengeMethodsSupported,
		Proofs:        m.Proofs,
		IssInResponse: m.AuthorizationResponseIssParameterSupported,
		ClientIDDocs:  m.ClientIDMetadataDocumentSupported,
	}
}

// checkEndpoints judges every URL that anything will be sent to or a browser opened at (CVE-2025-6514).
func checkEndpoints(e credential.Endpoints) error {
	for _, u := range []struct{ what, url string }{
		{"authorization_endpoint", e.Authorization},
		{"token_endpoint", e.Token},
		{"device_authorization_endpoint", e.Device},
		{"registration_endpoint", e.Registration},
		{"revocation_endpoint", e.Revocation},
	} {
		if u.url == "" {
			continue
		}
		if err := checkReach(e.Issuer, u.url, u.what); err != nil {
			return err
		}
	}
	return nil
}

// legacy serves servers of the 2025-03-26 revision, which are their own authorization server: metadata at the origin,
// else the default endpoints of that revision, which demanded PKCE of everybody. It is the last resort, for a server
// that asks for a token and publishes nothing; one that fails in another way gets no guesses. Nothing named an issuer
// there that the document's could be compared with: any on the same origin, whose owner is one, will do.
func (f Finder) legacy(ctx context.Context, server string, asked answer) (credential.Endpoints, error) {
	origin := credential.Origin(server)
	owner := cmp.Or(credential.Origin(f.accepted(server).MetadataURL), origin)
	e, found, err := f.metadata(ctx, server, owner, func(named string) bool {
		return credential.Origin(named) == owner && credential.CheckEndpoint(named, "issuer") == nil
	})
	if err != nil || found {
		return e, err
	}
	if asked.status != http.StatusUnauthorized {
		return credential.Endpoints{}, unhelpful(server, asked.status)
	}
	f.trace("no metadata anywhere: the default endpoints of MCP 2025-03-26")
	return credential.Endpoints{
		Issuer:        origin,
		Authorization: origin + "/authorize",
		Token:         origin + "/token",
		Registration:  origin + "/register",
		PKCE:          []string{"S256"},
	}, nil
}

// unhelpful says of a server that names no authorization server what its answer makes most likely.
func unhelpful(server string, status int) error {
	if status == http.StatusNotFound || status == http.StatusGone {
		text := "there is nothing at " + credential.Printable(server, 200) + " (" + strconv.Itoa(status) + "); check the path"
		switch path := strings.TrimPrefix(server, credential.Origin(server)); {
		case path == "":
			text += ", which for many servers is /mcp"
		case strings.HasSuffix(path, "/"):
			text += "; perhaps without the slash at its end"
		}
		return credential.Fail(credential.BadAnswer, text, nil)
	}
	if status >= 500 {
		return credential.Fail(credential.Network, "the server fails and publishes no authorization metadata", nil)
	}
	return credential.Fail(credential.BadAnswer, "the server publishes no authorization metadata and does not ask for a token", nil)
}
