package keychain

import (
	"context"
	"runtime"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
)

// Open opens the keychain that o.Store names, or the first usable one in the order of preference of this operating
// system. It asks nobody, and nothing secret is read yet.
//
// A keychain that is there but locked, or that does not answer, is an error and no reason to look further: it may well
// hold the items. With nothing usable the error has kind KeychainMissing; there is no store in plain text to fall back
// to. An unknown name has kind Misconfigured.
func Open(ctx context.Context, o Options) (Keychain, error) {
	o = o.withDefaults()
	if !validID(o.Home) {
		return nil, credential.Fail(credential.Internal, "the keychain was opened without the identity of a home", nil)
	}
	if o.Store == "" {
		return openPreferred(ctx, o)
	}
	b, ok := lookup(o.Store)
	if !ok {
		return nil, credential.Fail(credential.Misconfigured, "unknown keychain \""+credential.Printable(o.Store, 40)+
			"\"; it must be one of "+strings.Join(Names(), ", "), nil)
	}
	return b.open(ctx, o)
}

func openPreferred(ctx context.Context, o Options) (Keychain, error) {
	order := preferred(runtime.GOOS)
	for _, name := range order {
		b, _ := lookup(name)
		k, err := b.open(ctx, o)
		if err == nil {
			o.Trace("keychain: using " + k.Tier())
			return k, nil
		}
		if credential.KindOf(err) != credential.KeychainMissing || len(order) == 1 {
			return nil, err
		}
		o.Trace("keychain: " + err.Error())
	}
	return nil, credential.Fail(credential.KeychainMissing, "no keychain is usable here; start a Secret Service "+
		"(gnome-keyring, KDE Wallet, KeePassXC), initialise pass, or set MCPCRED_PASSPHRASE_FILE for an encrypted file", nil)
}
