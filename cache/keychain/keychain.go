// Package keychain keeps small secrets (one item per sign-in) in the keychain of the operating system, or in what
// stands in for one, behind one interface. What an item means, when it is written and which choice is remembered is
// left to its callers; so is the lock: whoever calls Set or Delete holds the lock of that sign-in, across processes.
package keychain

import (
	"context"
	"os"
	"slices"

	"github.com/mcp-credential/mcp-credential/credential"
)

// Keychain keeps items for one home. Its methods may be called from several goroutines and from several processes,
// Set and Delete of one id by one caller at a time (see the package comment). Every wait ends after
// credential.KeychainCall, or credential.KeychainAsk while a person may be asked. Errors other than credential.ErrNoItem are
// *credential.Error of a Keychain kind and hold no secret. An id is 1 to 64 of a-z, 0-9, '-' and '_'.
type Keychain interface {
	// Get returns the value of an item, or credential.ErrNoItem.
	Get(ctx context.Context, id string) ([]byte, error)

	// Set makes value durable before it returns. It is atomic: after a kill at any moment Get returns the old value or
	// the new one. label is the title under which a person finds the item, where the keychain has titles.
	Set(ctx context.Context, id, label string, value []byte) error

	// Delete removes an item; an absent one is no error. After a kill in the middle the item, or an older value of it,
	// may still be there; delete it again.
	Delete(ctx context.Context, id string) error

	// Tier names the keychain for people, as in "Secret Service (gnome-keyring)".
	Tier() string

	// Store is the name that Options.Store takes to choose this keychain again.
	Store() string
}

// Options says which keychain to open, and for whom.
type Options struct {
	Store          string // one of Names, or empty for the first usable one of this operating system
	Home           string // identity of the home, 16 hexadecimal digits; items of other homes are never found
	Dir            string // the home directory; the encrypted file store is a folder in it
	PassphraseFile string // passphrase of the encrypted file store; 0600 and the caller's own on Unix

	// AskPassphrase asks a person for that passphrase where there is no file; nil means that nobody may be asked.
	AskPassphrase func(ctx context.Context) (credential.Secret, error)

	Interactive bool                // a person may be asked to unlock the keychain
	Getenv      func(string) string // os.Getenv unless set
	Trace       func(string)        // gets one line per decision, without secrets; may be nil
}

// backend is a row in the table of keychains. open must be cheap, and answers with kind KeychainMissing where this
// machine does not have that keychain: that is what lets Open look further.
type backend struct {
	name string
	open func(ctx context.Context, o Options) (Keychain, error)
}

// The names that Options.Store takes.
const (
	nameSecretService = "secret-service"
	nameMacOS         = "keychain"
	nameWindows       = "wincred"
	namePass          = "pass"
	File              = "file" // the encrypted file: the one that a passphrase opens
	nameMemory        = "memory"
)

// backends is every keychain there is; a new one is a file and a row here.
func backends() []backend {
	return []backend{
		{nameSecretService, openSecretService},
		{nameMacOS, openMacOS},
		{nameWindows, openWindows},
		{namePass, openPass},
		{File, openFile},
		{nameMemory, openMemory},
	}
}

// Names returns the names that Options.Store takes, in a fixed order.
func Names() []string {
	var out []string
	for _, b := range backends() {
		out = append(out, b.name)
	}
	return out
}

// preferred is the order in which goos is searched when nothing is named.
func preferred(goos string) []string {
	switch goos {
	case "darwin":
		return []string{nameMacOS}
	case "windows":
		return []string{nameWindows}
	case "linux":
		return []string{nameSecretService, namePass, File}
	}
	return []string{namePass, File}
}

func (o Options) withDefaults() Options {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.Trace == nil {
		o.Trace = func(string) {}
	}
	return o
}

func lookup(name string) (backend, bool) {
	all := backends()
	i := slices.IndexFunc(all, func(b backend) bool { return b.name == name })
	if i < 0 {
		return backend{}, false
	}
	return all[i], true
}
