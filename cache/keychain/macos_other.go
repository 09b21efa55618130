//go:build !(darwin && cgo)

package keychain

import (
	"context"
	"runtime"

	"github.com/mcp-credential/mcp-credential/credential"
)

func openMacOS(context.Context, Options) (Keychain, error) {
	text := "the macOS Keychain exists on macOS only"
	if runtime.GOOS == "darwin" {
		text = "this build cannot use the macOS Keychain because it was made without cgo; " +
			"install a release, or set MCPCRED_STORE to pass or file"
	}
	return nil, credential.Fail(credential.KeychainMissing, text, nil)
}
