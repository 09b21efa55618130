package keychain

import (
	"context"

	"github.com/99designs/keyring"

	"github.com/mcp-credential/mcp-credential/credential"
)

// openWindows opens the Credential Manager, where an item is named mcp-credential:HOME:ID.SLOT.PART.
func openWindows(_ context.Context, o Options) (Keychain, error) {
	r, err := openKeyring(keyring.WinCredBackend, keyring.Config{
		WinCredPrefix: "mcp-credential",
		ServiceName:   o.Home,
	}, func(err error) error { return err })
	if err != nil {
		return nil, err
	}
	raw := slots{chunks{raw: r, limit: wincredLimit}}
	return &store{raw: raw, name: nameWindows, tier: "Windows Credential Manager", wait: credential.KeychainCall}, nil
}
