//go:build !windows

package keychain

import (
	"context"

	"github.com/mcp-credential/mcp-credential/credential"
)

func openWindows(context.Context, Options) (Keychain, error) {
	return nil, credential.Fail(credential.KeychainMissing, "the Windows Credential Manager exists on Windows only", nil)
}
