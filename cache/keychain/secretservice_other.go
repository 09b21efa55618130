//go:build !linux

package keychain

import (
	"context"

	"github.com/mcp-credential/mcp-credential/credential"
)

func openSecretService(context.Context, Options) (Keychain, error) {
	return nil, credential.Fail(credential.KeychainMissing, "the Secret Service is used on Linux only", nil)
}
