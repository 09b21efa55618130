package core

import (
	"cmp"

	"github.com/mcp-credential/mcp-credential/cmd/call"
	"github.com/mcp-credential/mcp-credential/config"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/helper"
	"github.com/mcp-credential/mcp-credential/internal/browser"
)

// stamp tells one state of the configuration file from another.
type stamp struct{ size, mtime int64 }

// configStamp is the stamp of the configuration file as it is now. Any goroutine may ask for it.
func (w *wiring) configStamp() (size, mtime int64) {
	return call.ConfigStamp(w.dir.File(config.FileName))
}

// load reads the configuration. The stamp is taken first: where the file changes in between, it fits neither state, and
// what is remembered under it is looked up again.
func (w *wiring) load() {
	w.stamp.size, w.stamp.mtime = w.configStamp()
	w.config, w.broken = config.Load(w.dir.File(config.FileName))
	w.wait = credential.WaitDefault
	if d, err := w.config.WaitTime(); err == nil && d > 0 {
		w.wait = d
	}
	w.keychains = map[string]helper.Keychain{} // opened as the configuration says
}

// reload is load for a process that outlives the configuration it began with, where the file is no longer the one that was
// read. It returns why the configuration cannot be used. What was set on the wiring and its helper stays.
func (w *wiring) reload() error {
	if size, mtime := w.configStamp(); w.stamp != (stamp{size, mtime}) {
		w.trace("config: the file has changed and is read again")
		w.load()
	}
	return w.broken
}

// settings returns what the configuration says about a server.
func (w *wiring) settings(url string) helper.Settings {
	c := w.config.Servers[url]
	return helper.Settings{
		Name: c.Name, ClientID: c.ClientID, ClientSecret: c.ClientSecretFile, Scopes: c.Scopes, Account: c.Account,
		Issuer: cmp.Or(entraIssuer(c), c.Issuer), Resource: c.Resource, Redirect: c.RedirectURI, Params: c.Params, AuthMethod: c.AuthMethod, Key: clientKey(c), Provider: providerURL(c), Store: c.Store, Notify: w.config.Notify, Tenant: c.Tenant, File: approval(c),
	}
}

// clientKey is the key of a server's client.
func clientKey(c config.Server) credential.ClientKey {
	return credential.ClientKey{File: c.ClientKeyFile, ID: c.ClientKeyID, Algorithm: c.ClientKeyAlgorithm, Audience: c.AssertionAudience}
}

// prompt returns whether a person may be asked: the flag, else the configuration, else once; in CI never.
func (w *wiring) prompt(flag, url string) bool {
	policy := "once"
	for _, p := range []string{w.config.Prompt, w.config.Servers[url].Prompt, flag} {
		if p != "" {
			policy = p
		}
	}
	return policy == "once" && !browser.CI(osGetenv)
}
