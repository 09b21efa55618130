package postgres

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/atomicfile"
	"github.com/mcp-credential/mcp-credential/internal/datakey"
)

const (
	keyLen  = 32 // AES-256
	maxKeys = 8
	maxFile = 64 << 10
)

// key is one key of the fleet.
type key struct {
	id   string // 16 hexadecimal digits of a hash of it: which key has sealed a row
	aead cipher.AEAD
	raw  []byte
}

// keys are those of the key file, oldest first. All of them open; a row stays with the key that it has until Rekey.
type keys []key

// readKeys reads a key file: a line for each key, 32 bytes in base64; or the 32 bytes of one key and nothing else.
func readKeys(path string) (keys, error) {
	data, err := privateFile(path, "fleet_key_file")
	if err != nil {
		return nil, err
	}
	if len(data) == keyLen {
		return keys{newKey(data)}, nil
	}
	var out keys
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(raw) != keyLen || len(out) == maxKeys {
			return nil, credential.Fail(credential.Misconfigured, "the fleet key file is neither 32 bytes nor lines of 32 bytes in base64", nil)
		}
		out = append(out, newKey(raw))
	}
	if len(out) == 0 {
		return nil, credential.Fail(credential.Misconfigured, "the fleet key file is empty", nil)
	}
	return out, nil
}

func newKey(raw []byte) key {
	block, err := aes.NewCipher(raw)
	if err != nil {
		panic(err) // keyLen is a length of AES
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(append([]byte("mcp-credential fleet key\n"), raw...))
	return key{id: hex.EncodeToString(sum[:8]), aead: aead, raw: raw}
}

// privateFile reads a file that only this user may read. setting is the one that names it.
func privateFile(path, setting string) ([]byte, error) {
	if path == "" {
		return nil, credential.Fail(credential.Misconfigured, "store \""+Name+"\" needs the setting "+setting, nil)
	}
	data, err := atomicfile.Read(path, maxFile)
	if errors.Is(err, atomicfile.ErrExposed) {
		return nil, credential.Fail(credential.Misconfigured, "the file of "+setting+" must not be readable by other users (chmod 600)", err)
	}
	if err != nil {
		return nil, credential.Fail(credential.Misconfigured, "the file of "+setting+" cannot be used", err)
	}
	return credential.WithoutBOM(data), nil
}

// find returns the key with an identifier, or nil.
func (k keys) find(id string) *key {
	i := slices.IndexFunc(k, func(k key) bool { return k.id == id })
	if i < 0 {
		return nil
	}
	return &k[i]
}

// data derives the data key of a sign-in from the oldest key.
func (k keys) data(id string) (credential.Secret, error) {
	return datakey.Derive(k[0].raw, []byte("fleet "+id))
}

// seal seals one column of a row: the column, the sign-in and the generation are authenticated, so that nothing can be moved to another
// place in the table, or back into a newer row.
func (k *key) seal(column, id string, generation int64, value []byte) []byte {
	nonce := make([]byte, k.aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails (crypto/rand since Go 1.24)
	return k.aead.Seal(nonce, nonce, value, place(column, id, generation))
}

// errDamaged says that a row does not open. It is inside an error of kind KeychainBroken.
var errDamaged = errors.New("it was sealed under another key, or was changed")

func isDamaged(err error) bool { return errors.Is(err, errDamaged) }

func damaged(id string) error {
	return credential.Fail(credential.KeychainBroken, "the row of sign-in "+id+" in the fleet's table does not open with fleet_key_file", errDamaged)
}

// open is the inverse of seal.
func (k *key) open(column, id string, generation int64, sealed []byte) ([]byte, error) {
	n := k.aead.NonceSize()
	if len(sealed) < n {
		return nil, damaged(id)
	}
	value, err := k.aead.Open(nil, sealed[:n], sealed[n:], place(column, id, generation))
	if err != nil {
		return nil, damaged(id)
	}
	return value, nil
}

func place(column, id string, generation int64) []byte {
	return []byte("mcp-credential fleet 1\n" + column + "\n" + id + "\n" + strconv.FormatInt(generation, 10))
}

// NewKey writes a new key to path, which must not exist. add: it must, and gets one more key behind those that it has.
func NewKey(path string, add bool) error {
	raw := make([]byte, keyLen)
	_, _ = rand.Read(raw) // never fails (crypto/rand since Go 1.24)
	line := base64.StdEncoding.EncodeToString(raw) + "\n"
	if add {
		have, err := readKeys(path)
		if err != nil {
			return err
		}
		if len(have) == maxKeys {
			return credential.Fail(credential.BadInput, "the key file has "+strconv.Itoa(maxKeys)+" keys already; remove those that no row is sealed under", nil)
		}
		return wrote(path, atomicfile.Write(path, []byte(have.text()+line)))
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return credential.Fail(credential.BadInput, path+" exists already; --add puts one more key into it", nil)
	}
	if err != nil {
		return wrote(path, err)
	}
	_, err = f.WriteString(line)
	return wrote(path, errors.Join(err, f.Sync(), f.Close()))
}

func wrote(path string, err error) error {
	if err != nil {
		return credential.Fail(credential.BadInput, "cannot write "+path, err)
	}
	return nil
}

// RemoveOldKeys leaves only the newest key in the file.
func RemoveOldKeys(path string) error {
	have, err := readKeys(path)
	if err != nil {
		return err
	}
	return wrote(path, atomicfile.Write(path, []byte(have[len(have)-1:].text())))
}

func (k keys) text() string {
	var out strings.Builder
	for _, k := range k {
		out.WriteString(base64.StdEncoding.EncodeToString(k.raw) + "\n")
	}
	return out.String()
}
