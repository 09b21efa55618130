package core

import (
	"cmp"

	"github.com/mcp-credential/mcp-credential/config"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/discovery"
	"github.com/mcp-credential/mcp-credential/helper"
	"github.com/mcp-credential/mcp-credential/internal/microsoft"
)

// entraIssuer is the issuer that the configuration means for a server, in its one spelling, where that is Entra ID; else
// "". What is wrong with it shows when somebody signs in.
func entraIssuer(c config.Server) string {
	if c.Tenant == "" && !microsoft.SignInHost(c.Issuer) {
		return ""
	}
	a, err := microsoft.ParseAuthority(c.Issuer, c.Tenant)
	if err != nil {
		return ""
	}
	return a.Issuer()
}

// approval is what the file says about a server for people; a machine identity's settings approve nothing.
func approval(c config.Server) helper.Approval {
	if c.Identity != "" {
		return helper.Approval{}
	}
	return helper.Approval{Issuer: entraIssuer(c), ClientID: c.ClientID, Scopes: c.Scopes}
}

// configured is what need not be asked of a server, because the file names issuer and scopes.
func configured(url string, s helper.Settings) (helper.Found, bool, error) {
	if s.File.Issuer == "" || len(s.File.Scopes) == 0 {
		return helper.Found{}, false, nil
	}
	f, err := ofEntra(discovery.Server{Resource: cmp.Or(s.Resource, url), Scopes: s.File.Scopes, Issuer: s.File.Issuer}, s)
	return f, true, err
}

// ofEntra turns what is known of a server into what helper needs, with the endpoints that the authority has by rule.
func ofEntra(server discovery.Server, s helper.Settings) (helper.Found, error) {
	a, err := microsoft.ParseAuthority(cmp.Or(s.File.Issuer, server.Issuer), s.Tenant)
	return helper.Found{
		Resource: server.Resource, Name: server.Name, Scopes: server.Scopes, Source: sourceEntra, Unbound: true,
		Endpoints: credential.Endpoints{
			Issuer: a.Issuer(), Authorization: a.Endpoint("authorize"), Token: a.Endpoint("token"), Device: a.Endpoint("devicecode"),
		},
	}, err
}
