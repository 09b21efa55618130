package core

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"slices"

	"github.com/mcp-credential/mcp-credential/cache/keychain"
	"github.com/mcp-credential/mcp-credential/cmd/call"
	"github.com/mcp-credential/mcp-credential/helper"
	"github.com/mcp-credential/mcp-credential/internal/browser"
	"github.com/mcp-credential/mcp-credential/internal/home"
)

// terminal reports whether a person reads what this process says.
func (w *wiring) terminal() bool {
	f, ok := w.streams.err.(*os.File)
	return ok && call.Terminal(f)
}

// keychain opens the named store, or the configured or preferred one, once.
func (w *wiring) keychain(ctx context.Context, store string) (helper.Keychain, error) {
	if err := knownStore(ctx, w.dir); err != nil {
		return nil, err
	}
	for _, name := range []string{osGetenv("MCPCRED_STORE"), w.config.Store} {
		store = cmp.Or(store, name)
	}
	w.opening.Lock()
	defer w.opening.Unlock()
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
	w.keychains[store] = kc
	return kc, nil
}

// knownStore is an error where MCPCRED_STORE names no keychain: it says which names there are.
func knownStore(ctx context.Context, dir home.Dir) error {
	name := osGetenv("MCPCRED_STORE")
	if name == "" || slices.Contains(keychain.Names(), name) {
		return nil
	}
	_, err := keychain.Open(ctx, keychain.Options{Store: name, Home: dir.ID, Dir: dir.Path})
	return err
}

// passphraseFile is the file that opens the encrypted file of this home: by the environment, else the configuration, else as
// it was when somebody signed in.
func (w *wiring) passphraseFile() string {
	return cmp.Or(osGetenv("MCPCRED_PASSPHRASE_FILE"), w.config.PassphraseFile, w.recordedPassphraseFile())
}

// recordedPassphraseFile is what the sign-ins say that are kept in the encrypted file. A home has one.
func (w *wiring) recordedPassphraseFile() string {
	all, _ := w.helper.Records.SignIns()
	for _, si := range all {
		if si.PassphraseFile != "" {
			return si.PassphraseFile
		}
	}
	return ""
}

// passphraseFileOf is helper.Helper.PassphraseFile.
func (w *wiring) passphraseFileOf(store string) string {
	path := w.passphraseFile()
	if store != keychain.File || path == "" {
		return ""
	}
	if full, err := filepath.Abs(path); err == nil {
		return full
	}
	return path
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
