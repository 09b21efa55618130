package core

import (
	"context"
	"net/http"
	"net/url"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/discovery"
	"github.com/mcp-credential/mcp-credential/helper"
	"github.com/mcp-credential/mcp-credential/internal/microsoft"
	"github.com/mcp-credential/mcp-credential/internal/webclient"
	"github.com/mcp-credential/mcp-credential/source"
	"github.com/mcp-credential/mcp-credential/source/entra"
	"github.com/mcp-credential/mcp-credential/source/oauth"
)

// sources is where a wiring gets tokens and what is known of servers.
type sources struct{ *wiring }

// http returns the one client of this process.
func (w *wiring) http() (*http.Client, error) {
	w.opening.Lock()
	defer w.opening.Unlock()
	if w.client != nil {
		return w.client, nil
	}
	var err error
	w.client, err = webclient.New(webclient.Options{Version: version(), Getenv: osGetenv})
	return w.client, err
}

func (w sources) source(name string) (source.Source, error) {
	client, err := w.http()
	if err != nil {
		return nil, err
	}
	switch name {
	case sourceOAuth:
		return oauth.New(source.Config{Client: client, Trace: w.trace}), nil
	case sourceEntra:
		return w.entra()
	case helper.StoredSource:
		return nil, credential.Fail(credential.NoSignIn, "there is no refresh token: the access token came by store", nil)
	}
	return nil, credential.Fail(credential.Misconfigured, "this version has no token source called "+credential.Printable(name, 40), nil)
}

// The token sources.
const (
	sourceOAuth = "oauth"
	sourceEntra = "entra"
)

// entra returns the source of Entra ID's tokens.
func (w sources) entra() (*entra.Source, error) {
	client, err := w.http()
	if err != nil {
		return nil, err
	}
	direct, err := webclient.New(webclient.Options{Version: version(), Getenv: osGetenv, Proxy: func(*http.Request) (*url.URL, error) { return nil, nil }})
	return entra.New(source.Config{Client: client, Direct: direct, Trace: w.trace}), err
}

func (w sources) finder(trace func(string)) (discovery.Finder, error) {
	client, err := w.http()
	return discovery.Finder{
		Client: client, Trace: trace,
		Accepted: func(server string) discovery.Accepted {
			c := w.config.Servers[server]
			a := discovery.Accepted{Resource: c.Resource, Issuer: c.Issuer, MetadataURL: c.MetadataURL, AssumePKCE: c.AssumePKCE}
			if microsoft.SignInHost(a.Issuer) {
				a.Issuer = "" // Entra's are spelt in several ways
			}
			return a
		},
	}, err
}

func (w sources) find(ctx context.Context, url string, settings helper.Settings) (helper.Found, error) {
	return w.findTelling(ctx, url, settings, w.trace)
}

// findTelling is find, with each step told.
func (w sources) findTelling(ctx context.Context, url string, settings helper.Settings, trace func(string)) (helper.Found, error) {
	if found, ok, err := configured(url, settings); ok {
		return found, err
	}
	if issuer := w.providerIssuer(url); issuer != "" {
		return w.provider(ctx, url, issuer)
	}
	f, err := w.finder(trace)
	if err != nil {
		return helper.Found{}, err
	}
	s, err := f.Find(ctx, url)
	switch {
	case err != nil:
		return helper.Found{}, err
	case s.Microsoft:
		return ofEntra(s, settings)
	case settings.Tenant != "" || settings.File.Issuer != "":
		return helper.Found{}, credential.Fail(credential.Misconfigured, "a tenant is set, but the server's authorization server is not Entra ID", nil)
	}
	return helper.Found{Resource: s.Resource, Name: s.Name, Scopes: s.Scopes, Source: sourceOAuth, Endpoints: s.Endpoints, Bound: s.Bound}, nil
}

func (w sources) issuer(ctx context.Context, server, issuer string) (credential.Endpoints, error) {
	f, err := w.finder(w.trace)
	if err != nil {
		return credential.Endpoints{}, err
	}
	return f.Issuer(ctx, server, issuer)
}
