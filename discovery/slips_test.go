package discovery

import (
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/credential"
)

// Slips that servers make are refused with the line that accepts them for one server, and that line does.
func TestSlips(t *testing.T) {
	noPKCE := strings.Replace(goodAS, `"code_challenge_methods_supported":["S256"],`, "", 1)
	for name, c := range map[string]struct {
		docs  map[string]string
		kind  credential.Kind
		want  string // ORIGIN as in the documents
		says  Accepted
		other Accepted // does not help
	}{
		"issuer": {map[string]string{prmPath: goodPRM, asRoot: strings.Replace(goodAS, `"issuer":"ORIGIN"`, `"issuer":"ORIGIN/"`, 1)}, credential.Hostile,
			`they differ by the slash at the end; if you trust it, accept that for this server in config.toml: issuer = "ORIGIN/" below [servers."ORIGIN/mcp"]`,
			Accepted{Issuer: "ORIGIN/"}, Accepted{Issuer: "ORIGIN"}},
		"issuer in the resource's metadata": {map[string]string{prmPath: strings.Replace(goodPRM, `["ORIGIN"]`, `["ORIGIN/"]`, 1), asRoot: goodAS}, credential.Hostile,
			`issuer = "ORIGIN" below`, Accepted{Issuer: "ORIGIN"}, Accepted{Issuer: "ORIGIN/"}},
		"issuer without its path": {map[string]string{prmPath: tenantPRM, asRoot + "/tenant": goodAS}, credential.Hostile,
			`on the same host; if you trust it, accept that for this server in config.toml: issuer = "ORIGIN" below [servers."ORIGIN/mcp"], with metadata_url = "ORIGIN/.well-known/oauth-authorization-server/tenant"`,
			Accepted{Issuer: "ORIGIN", MetadataURL: "ORIGIN/.well-known/oauth-authorization-server/tenant"}, Accepted{Issuer: "ORIGIN"}},
		"resource": {map[string]string{prmPath: strings.Replace(goodPRM, "ORIGIN/mcp", "ORIGIN/mcp/", 1), asRoot: goodAS}, credential.Hostile,
			`which differs by the slash at its end; if you trust it, accept that for this server in config.toml: resource = "ORIGIN/mcp/" below`,
			Accepted{Resource: "ORIGIN/mcp/"}, Accepted{Resource: "ORIGIN"}},
		"place, appended": {map[string]string{prmPath: tenantPRM, "/tenant/.well-known/oauth-authorization-server": tenantAS}, credential.Misconfigured,
			`publishes no metadata where RFC 8414 has it, but at ORIGIN/tenant/.well-known/oauth-authorization-server; if you trust it, accept that for this server in config.toml: metadata_url = "ORIGIN/tenant/.well-known/oauth-authorization-server" below`,
			Accepted{MetadataURL: "ORIGIN/tenant/.well-known/oauth-authorization-server"}, Accepted{MetadataURL: "ORIGIN/elsewhere"}},
		"place, at the root": {map[string]string{prmPath: tenantPRM, asRoot: tenantAS}, credential.Misconfigured,
			`metadata_url = "ORIGIN/.well-known/oauth-authorization-server"`, Accepted{MetadataURL: "ORIGIN/.well-known/oauth-authorization-server"}, Accepted{}},
		"PKCE": {map[string]string{prmPath: goodPRM, asRoot: noPKCE}, 0, "", Accepted{AssumePKCE: true}, Accepted{}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &site{docs: c.docs}
			got, err := s.find(t)
			if c.want == "" { // which the sign-in refuses
				if err != nil || got.Endpoints.PKCE != nil {
					t.Errorf("%+v %v", got, err)
				}
			} else if credential.KindOf(err) != c.kind || !strings.Contains(err.Error(), s.fill(c.want)) {
				t.Errorf("%v", err)
			}
			f := finder(t)
			for _, says := range []Accepted{c.other, c.says} {
				f.Accepted = func(string) Accepted {
					return Accepted{s.fill(says.Resource), s.fill(says.Issuer), s.fill(says.MetadataURL), says.AssumePKCE}
				}
				got, err = f.Find(t.Context(), s.url+"/mcp")
				if says == c.other && err == nil && got.Endpoints.PKCE != nil {
					t.Errorf("accepted: %+v", got)
				}
			}
			if err != nil || got.Endpoints.PKCE == nil || got.Endpoints.Token != s.url+"/token" {
				t.Errorf("%+v %v", got, err)
			}
		})
	}
}

// Of a server without metadata of its own, the configuration may say where its authorization server's is.
func TestMetadataURLAlone(t *testing.T) {
	s, as := &site{}, &site{docs: map[string]string{"/meta": tenantAS}}
	s.start(t)
	as.start(t)
	f := finder(t)
	f.Accepted = func(string) Accepted { return Accepted{MetadataURL: as.url + "/meta"} }
	got, err := f.Find(t.Context(), s.url+"/mcp")
	if err != nil || got.Issuer != as.url+"/tenant" || got.Resource != s.url+"/mcp" {
		t.Errorf("%+v %v", got, err)
	}
}
