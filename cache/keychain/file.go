package keychain

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/99designs/keyring"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/atomicfile"
)

const (
	fileFolder   = "keychain"
	fileVerifier = "verifier" // an item that tells a right passphrase from a wrong one
	fileTemp     = "new-"     // prefix of a verifier in the making
	maxPhrase    = 4 << 10    // bytes of a passphrase file
)

// file is the encrypted file store: a folder of JWE files (PBES2 of RFC 7518 section 4.8, AES-256-GCM), written by the
// library in place and synced here. The passphrase is read or asked for once, at the first use that needs it, and
// only a passphrase that opens the verifier is used; deleting needs none.
type file struct {
	dir        string
	prefix     string // of every key: the home
	passphrase func(context.Context) (credential.Secret, error)

	mu    sync.Mutex
	store *keyringStore // opened with the passphrase; nil before
}

// openFile wants a passphrase file when it was not named: nobody gets a second keychain by accident.
func openFile(_ context.Context, o Options) (Keychain, error) {
	if o.Store == "" && o.PassphraseFile == "" {
		return nil, credential.Fail(credential.KeychainMissing, "no passphrase file is set for the encrypted file store", nil)
	}
	if !filepath.IsAbs(o.Dir) {
		return nil, credential.Fail(credential.Internal, "the encrypted file store was opened without a home directory", nil)
	}
	f := &file{dir: filepath.Join(o.Dir, fileFolder), prefix: o.Home + ".", passphrase: o.readPassphrase}
	patience := credential.KeychainFile
	if o.PassphraseFile == "" && o.AskPassphrase != nil {
		patience = credential.KeychainAsk
	}
	return &store{raw: slots{f}, name: File, tier: "encrypted file", wait: patience}, nil
}

func (o Options) readPassphrase(ctx context.Context) (credential.Secret, error) {
	if o.PassphraseFile != "" {
		return passphraseFrom(o.PassphraseFile)
	}
	if o.AskPassphrase == nil {
		return credential.Secret{}, credential.Fail(credential.NoPassphrase,
			"the encrypted file store has no passphrase file and nobody may be asked", nil)
	}
	p, err := o.AskPassphrase(ctx)
	if err != nil {
		return p, credential.Fail(credential.NoPassphrase, "the passphrase was not given", err)
	}
	return refuseEmpty(p, "the passphrase is empty")
}

func passphraseFrom(path string) (credential.Secret, error) {
	b, err := atomicfile.Read(path, maxPhrase)
	if err != nil {
		text := "the passphrase file cannot be used"
		if errors.Is(err, atomicfile.ErrExposed) {
			text = "the passphrase file must not be readable by other users (chmod 600)"
		}
		return credential.Secret{}, credential.Fail(credential.KeychainBroken, text, err)
	}
	line := strings.TrimSuffix(strings.TrimSuffix(string(credential.WithoutBOM(b)), "\n"), "\r")
	return refuseEmpty(credential.NewSecret(line), "the passphrase file is empty")
}

func refuseEmpty(p credential.Secret, text string) (credential.Secret, error) {
	if p.IsZero() {
		return p, credential.Fail(credential.KeychainBroken, text, nil)
	}
	return p, nil
}

func (f *file) get(ctx context.Context, key string) ([]byte, error) {
	r, err := f.unlock(ctx, false)
	if err != nil {
		return nil, err
	}
	return r.get(ctx, f.prefix+key)
}

func (f *file) set(ctx context.Context, key, label string, value []byte) error {
	r, err := f.unlock(ctx, true)
	if err != nil {
		return err
	}
	if err := r.set(ctx, f.prefix+key, label, value); err != nil {
		return err
	}
	return syncFile(filepath.Join(f.dir, f.prefix+key))
}

func (f *file) remove(_ context.Context, key string) error {
	err := os.Remove(filepath.Join(f.dir, f.prefix+key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// unlock returns the store opened with a passphrase that opens the verifier. A store that was never used gets its
// verifier for a set, and is credential.ErrNoItem for a get, without asking for a passphrase.
func (f *file) unlock(ctx context.Context, create bool) (*keyringStore, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.store != nil {
		return f.store, nil
	}
	unused, err := f.check()
	if err != nil {
		return nil, err
	}
	if unused && !create {
		return nil, credential.ErrNoItem
	}
	phrase, err := f.passphrase(ctx)
	if err != nil {
		return nil, err
	}
	r, err := f.open(phrase)
	if err != nil {
		return nil, err
	}
	if unused {
		if err := f.writeVerifier(ctx, r); err != nil {
			return nil, err
		}
	}
	if err := f.verify(ctx, r); err != nil {
		return nil, err
	}
	f.store = r
	return r, nil
}

// check wants a folder that is closed to other users, with a verifier in it, or none at all (unused). Items without
// a verifier are no fresh store, and must not let a second passphrase in.
func (f *file) check() (unused bool, err error) {
	info, err := os.Lstat(f.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if !info.IsDir() || exposed(info) {
		return false, credential.Fail(credential.KeychainBroken, "the folder "+f.dir+" must be a directory that only its owner can enter (chmod 700)", nil)
	}
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return false, err
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return strings.HasPrefix(e.Name(), fileTemp) })
	if slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == fileVerifier }) {
		return false, nil
	}
	if len(entries) > 0 {
		return false, credential.Fail(credential.KeychainBroken, "the encrypted file store in "+f.dir+" has lost its file \""+fileVerifier+"\"", nil)
	}
	return true, nil
}

func (f *file) open(phrase credential.Secret) (*keyringStore, error) {
	return openKeyring(keyring.FileBackend, keyring.Config{
		FileDir:          f.dir,
		FilePasswordFunc: keyring.FixedStringPrompt(phrase.Reveal()),
	}, func(err error) error {
		var path *fs.PathError
		if errors.As(err, &path) {
			return err
		}
		return errDamaged // with the passphrase verified, a file that does not open is not whole
	})
}

// verify opens the verifier.
func (f *file) verify(ctx context.Context, r *keyringStore) error {
	_, err := r.get(ctx, fileVerifier)
	if errors.Is(err, errDamaged) {
		return credential.Fail(credential.KeychainBroken, "the passphrase does not open the encrypted file store", nil)
	}
	return err
}

// writeVerifier makes the folder and writes the verifier whole or not at all. Of two processes that make one at once
// the first wins, and the other is held to its passphrase.
func (f *file) writeVerifier(ctx context.Context, r *keyringStore) error {
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return err
	}
	temp := fileTemp + strings.ToLower(rand.Text())
	from, to := filepath.Join(f.dir, temp), filepath.Join(f.dir, fileVerifier)
	defer os.Remove(from)
	if err := r.set(ctx, temp, "", []byte(fileVerifier)); err != nil {
		return err
	}
	if err := syncFile(from); err != nil {
		return err
	}
	if err := os.Link(from, to); err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	return os.Rename(from, to) // a file system without hard links
}

// exposed is always false on Windows, where access lists are inherited from the profile and modes say nothing.
func exposed(info fs.FileInfo) bool {
	return runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0
}

// syncFile makes a file and its name durable. Windows cannot sync a directory and does not need to.
func syncFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return err
	}
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		_ = dir.Sync()
		_ = dir.Close()
	}
	return nil
}
