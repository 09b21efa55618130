//go:build cgo

package keychain

import (
	"context"
	"errors"

	"github.com/99designs/keyring"

	"github.com/mcp-credential/mcp-credential/credential"
)

// macOS is the login keychain. An update keeps the item and with it what a person answered ("Always Allow").
type macOS struct{ *keyringStore }

// openMacOS trusts this program (the library's default trusts nobody: macOS would ask at each read), keeps items out
// of iCloud, and readable only while the Mac is unlocked.
func openMacOS(_ context.Context, o Options) (Keychain, error) {
	r, err := openKeyring(keyring.KeychainBackend, keyring.Config{
		ServiceName:                    "mcp-credential " + o.Home,
		KeychainTrustApplication:       true,
		KeychainSynchronizable:         false,
		KeychainAccessibleWhenUnlocked: true,
	}, func(err error) error { return err })
	if err != nil {
		return nil, err
	}
	return &store{raw: macOS{r}, name: nameMacOS, tier: "macOS Keychain", wait: wait(o.Interactive)}, nil
}

// get tells a locked or refused item from an absent one: keyring v1.2.2 answers both with ErrKeyNotFound
// (keychain.go: no results are "not found", whatever the error), but can describe an item it may not open.
func (m macOS) get(ctx context.Context, key string) ([]byte, error) {
	value, err := m.keyringStore.get(ctx, key)
	if !errors.Is(err, credential.ErrNoItem) {
		return value, err
	}
	_, err = m.call(ctx, func() ([]byte, error) {
		_, err := m.keyring.GetMetadata(key)
		return nil, err
	})
	if err == nil {
		return nil, credential.Fail(credential.KeychainLocked, "the macOS Keychain is locked or refuses the item to this program", nil)
	}
	return nil, err
}
