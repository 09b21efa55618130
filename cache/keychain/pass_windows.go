package keychain

import (
	"context"

	"github.com/mcp-credential/mcp-credential/credential"
)

func openPass(context.Context, Options) (Keychain, error) {
	return nil, credential.Fail(credential.KeychainMissing, "pass is not available on Windows", nil)
}
