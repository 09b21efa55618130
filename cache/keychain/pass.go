//go:build !windows

package keychain

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/99designs/keyring"

	"github.com/mcp-credential/mcp-credential/credential"
)

const (
	passFolder  = ".password-store" // in the user's home; hosts scrub PASSWORD_STORE_DIR, so it cannot count
	passOptions = "PASSWORD_STORE_GPG_OPTS"

	// passQuiet keeps gpg from asking for a passphrase (a key that gpg-agent has open is used all the same) and its
	// messages off our standard error, which the library gives to its child.
	passQuiet = "--batch --no-tty --pinentry-mode=error --logger-file=/dev/null"
)

// pass keeps items as files of the standard Unix password manager (passwordstore.org), below mcp-credential/HOME/.
// Each operation runs pass and gpg, and every set is a commit where the store is a git repository. gpg writes in
// place, and goes on for a moment when we are killed.
type pass struct {
	*keyringStore
	dir string // where the .gpg files of this home are
}

func openPass(_ context.Context, o Options) (Keychain, error) {
	root := filepath.Join(o.Getenv("HOME"), passFolder)
	if !filepath.IsAbs(root) {
		return nil, credential.Fail(credential.KeychainMissing, "pass cannot be found because HOME is not set", nil)
	}
	if _, err := os.Stat(filepath.Join(root, ".gpg-id")); err != nil {
		return nil, credential.Fail(credential.KeychainMissing, "pass is not initialised in "+root, nil)
	}
	if _, err := exec.LookPath("pass"); err != nil {
		return nil, credential.Fail(credential.KeychainMissing, "the program pass is not installed", nil)
	}
	if err := quietGPG(o); err != nil {
		return nil, err
	}
	prefix := filepath.Join("mcp-credential", o.Home)
	r, err := openKeyring(keyring.PassBackend, keyring.Config{PassDir: root, PassPrefix: prefix}, judgePass)
	if err != nil {
		return nil, err
	}
	raw := slots{pass{r, filepath.Join(root, prefix)}}
	return &store{raw: raw, name: namePass, tier: "pass", wait: wait(o.Interactive)}, nil
}

// quietGPG sets or takes back the options that keep gpg quiet, in the environment of this process: the library leaves
// pass no other way. Where a process opens pass twice, the last one counts.
func quietGPG(o Options) error {
	now := o.Getenv(passOptions)
	want := strings.TrimSpace(strings.TrimSuffix(now, passQuiet))
	if !o.Interactive {
		want = strings.TrimSpace(want + " " + passQuiet)
	}
	if want == now {
		return nil
	}
	return os.Setenv(passOptions, want)
}

// judgePass types the library's errors. pass fails alike for a key that gpg-agent does not have open and for a file
// that was cut off.
func judgePass(err error) error {
	var exit *exec.ExitError
	var path *fs.PathError
	switch {
	case errors.As(err, &exit):
		return unreadable{credential.Fail(credential.KeychainLocked,
			"gpg could not open the pass entry; its key is locked or missing", err)}
	case errors.As(err, &path), errors.Is(err, exec.ErrNotFound):
		return err
	}
	return errDamaged // gpg opened it, and it is no item
}

func (p pass) path(key string) string { return filepath.Join(p.dir, key+".gpg") }

func (p pass) get(ctx context.Context, key string) ([]byte, error) {
	if info, err := os.Stat(p.path(key)); err == nil && info.Size() == 0 {
		return nil, errDamaged // gpg had only just begun
	}
	return p.keyringStore.get(ctx, key)
}

func (p pass) set(ctx context.Context, key, label string, value []byte) error {
	if err := p.keyringStore.set(ctx, key, label, value); err != nil {
		return err
	}
	return syncFile(p.path(key))
}
