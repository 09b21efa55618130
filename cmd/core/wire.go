package core

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/cmd/call"
	"github.com/mcp-credential/mcp-credential/config"
	"github.com/mcp-credential/mcp-credential/helper"
	"github.com/mcp-credential/mcp-credential/internal/browser"
	"github.com/mcp-credential/mcp-credential/internal/detach"
	"github.com/mcp-credential/mcp-credential/internal/home"
	"github.com/mcp-credential/mcp-credential/source"
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
	opening     sync.Mutex // guards client and keychains, which are opened when they are first needed
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
	if err := knownStore(context.Background(), dir); err != nil {
		return nil, err
	}
	return wireHome(dir, c, s), nil
}

// wireHome is wire for a home that is known, whatever state it is in.
func wireHome(dir home.Dir, c common, s streams) *wiring {
	w := &wiring{dir: dir, streams: s, verbose: c.Verbose}
	w.load()
	w.helper = &helper.Helper{
		// what is on the disk of this home
		Dir:     dir,
		Cache:   cache.Open(dir, cache.SystemKeys(dir.ID)),
		Records: state.Records{Dir: dir},
		// the configuration
		Settings: w.settings,
		Config:   func() (size, mtime int64) { return w.stamp.size, w.stamp.mtime },
		// secrets
		Keychain:       w.keychain,
		KeychainKeys:   runtime.GOOS == "darwin",
		Attended:       w.attended,
		PassphraseFile: w.passphraseFileOf,
		// authorization servers
		Find:    sources{w}.find,
		Issuer:  sources{w}.issuer,
		Source:  func(name string) (helper.Refresher, error) { return sources{w}.source(name) },
		Machine: sources{w}.machine,
		Forward: sources{w}.forward,
		// people
		Person:    func() helper.Person { return w.person(source.Browser, true) },
		Reachable: func() bool { return browser.Reachable(osGetenv) },
		Trace:     w.trace,
		Warn:      func(text string) { call.Say(s.err, "warning: "+text) },
		// this machine
		Launch:      w.launch,
		HoldSignals: holdSignals,
		Now:         time.Now,
	}
	injectFaults(w)
	return w
}

func (w *wiring) trace(text string) {
	if w.verbose {
		call.Say(w.streams.err, text)
	}
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
