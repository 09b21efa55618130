package core

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/cache/keychain"
	"github.com/mcp-credential/mcp-credential/cmd/call"
	"github.com/mcp-credential/mcp-credential/config"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/discovery"
	"github.com/mcp-credential/mcp-credential/helper"
	"github.com/mcp-credential/mcp-credential/internal/browser"
	"github.com/mcp-credential/mcp-credential/internal/detach"
	"github.com/mcp-credential/mcp-credential/internal/home"
	"github.com/mcp-credential/mcp-credential/internal/microsoft"
	"github.com/mcp-credential/mcp-credential/internal/webclient"
	"github.com/mcp-credential/mcp-credential/source"
	"github.com/mcp-credential/mcp-credential/source/oauth"
	"github.com/mcp-credential/mcp-credential/state"
)

// osGetenv is the environment after busguard has restored it.
var osGetenv = os.Getenv

// wiring is everything that a command needs, built once per process.
type wiring struct {
	helper      *helper.Helper
	dir         home.Dir
	config      config.Config
	stamp       stamp // of the file that config was read from
	broken      error // why the configuration cannot be used; commands but a warm get fail with it
	wait        time.Duration
	interactive bool // a person has just typed this command: the keychain may ask to be unlocked
	asks        bool // the passphrase of the encrypted file may be asked for at this terminal
	streams     streams
	client      *http.Client
	keychains   map[string]helper.Keychain
	verbose     bool
}

// wire builds the helper for a home directory.
func wire(c common, s streams) (*wiring, error) {
	dir, err := home.Find(c.Home, osGetenv)
	if err != nil {
		return nil, err
	}
	if err := dir.Check(); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	w := &wiring{dir: dir, streams: s, verbose: c.Verbose}
	w.load()
	w.helper = &helper.Helper{
		Dir: dir, Cache: cache.Open(dir, cache.SystemKeys(dir.ID)), Records: state.Records{Dir: dir},
		Settings: w.settings, Config: func() (int64, int64) { return w.stamp.size, w.stamp.mtime },
		Keychain: w.keychain, Source: w.refresher, Find: w.find, Issuer: w.issuer,
		Machine: w.machine, KeychainKeys: runtime.GOOS == "darwin",
		Launch: w.launch, Attended: w.attended, Reachable: func() bool { return browser.Reachable(osGetenv) },
		Person:      func() helper.Person { return w.person(source.Browser, true) },
		HoldSignals: holdSignals,
		Now:         time.Now, Trace: w.trace, Warn: func(text string) { call.Say(s.err, "warning: "+text) },
	}
	return w, nil
}

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

func (w *wiring) trace(text string) {
	if w.verbose {
		call.Say(w.streams.err, text)
	}
}

// settings returns what the configuration says about a server.
func (w *wiring) settings(url string) helper.Settings {
	c := w.config.Servers[url]
	return helper.Settings{
		Name: c.Name, ClientID: c.ClientID, ClientSecret: c.ClientSecretFile, Scopes: c.Scopes, Account: c.Account,
		Issuer: orElse(entraIssuer(c), c.Issuer), Resource: c.Resource, Store: c.Store, Notify: w.config.Notify, Tenant: c.Tenant, File: approval(c),
	}
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

// terminal reports whether a person reads what this process says.
func (w *wiring) terminal() bool {
	f, ok := w.streams.err.(*os.File)
	return ok && call.Terminal(f)
}

// keychain opens the named store, or the configured or preferred one, once.
func (w *wiring) keychain(ctx context.Context, store string) (helper.Keychain, error) {
	for _, name := range []string{osGetenv("MCPCRED_STORE"), w.config.Store} {
		if store == "" {
			store = name
		}
	}
	if kc, ok := w.keychains[store]; ok {
		return kc, nil
	}
	o := keychain.Options{
		Store: store, Home: w.dir.ID, Dir: w.dir.Path, PassphraseFile: w.passphraseFile(), Interactive: w.interactive, Getenv: osGetenv, Trace: w.trace,
	}
	if w.asks && w.atTerminal() {
		o.AskPassphrase = w.askPassphrase
	}
	kc, err := keychain.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	w.keychains[store] = items{kc}
	return w.keychains[store], nil
}

func (w *wiring) passphraseFile() string {
	if path := osGetenv("MCPCRED_PASSPHRASE_FILE"); path != "" {
		return path
	}
	return w.config.PassphraseFile
}

// allowAsking says that a person has just typed this command, and so is there to be asked; in CI nobody is.
func (w *wiring) allowAsking() {
	w.interactive = !browser.CI(osGetenv)
	w.asks = w.interactive
}

// atTerminal reports whether a person can type into this process.
func (w *wiring) atTerminal() bool { return w.terminal() && call.Terminal(w.streams.in) }

// attended reports whether a keychain opens with what a person types here.
func (w *wiring) attended(store string) bool {
	return store == keychain.File && w.passphraseFile() == "" && w.asks && w.atTerminal()
}

// items speaks helper's word for an item that is not there.
type items struct{ keychain.Keychain }

func (i items) Get(ctx context.Context, id string) ([]byte, error) {
	data, err := i.Keychain.Get(ctx, id)
	if errors.Is(err, keychain.ErrNotFound) {
		return nil, helper.ErrNoItem
	}
	return data, err
}

// http returns the one client of this process.
func (w *wiring) http() (*http.Client, error) {
	if w.client != nil {
		return w.client, nil
	}
	var err error
	w.client, err = webclient.New(webclient.Options{Version: Version, Getenv: osGetenv})
	return w.client, err
}

func (w *wiring) source(name string) (source.Source, error) {
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
		return nil, credential.Fail(credential.NoSignIn, "there is nothing to refresh from: the token came by store", nil)
	}
	return nil, credential.Fail(credential.Misconfigured, "this version has no token source called "+credential.Printable(name, 40), nil)
}

func (w *wiring) refresher(name string) (helper.Refresher, error) { return w.source(name) }

// The token sources.
const (
	sourceOAuth = "oauth"
	sourceEntra = "entra"
)

func (w *wiring) finder() (discovery.Finder, error) {
	client, err := w.http()
	return discovery.Finder{
		Client: client, Trace: w.trace,
		AllowResource: func(server, resource string) bool { return w.config.Servers[server].Resource == resource },
		OnlyIssuer: func(server string) string {
			if issuer := w.config.Servers[server].Issuer; !microsoft.SignInHost(issuer) {
				return issuer
			}
			return "" // Entra's are spelt in several ways
		},
	}, err
}

func (w *wiring) find(ctx context.Context, url string, settings helper.Settings) (helper.Found, error) {
	if found, ok, err := configured(url, settings); ok {
		return found, err
	}
	f, err := w.finder()
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
		return helper.Found{}, credential.Fail(credential.Misconfigured, "the server names an authorization server that is not Entra ID, which has no tenants", nil)
	}
	return helper.Found{Resource: s.Resource, Name: s.Name, Scopes: s.Scopes, Source: sourceOAuth, Endpoints: s.Endpoints}, nil
}

func (w *wiring) issuer(ctx context.Context, issuer string) (credential.Endpoints, error) {
	f, err := w.finder()
	if err != nil {
		return credential.Endpoints{}, err
	}
	return f.Issuer(ctx, issuer)
}

// launch starts this program again as a detached process for the same home.
func (w *wiring) launch(args ...string) error {
	exe, err := os.Executable()
	if err == nil {
		exe, err = filepath.EvalSymlinks(exe)
	}
	if err != nil {
		return err
	}
	return detach.Start(exe, append(args, "--home="+w.dir.Path), os.Environ())
}
