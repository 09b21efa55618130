package cache

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"errors"

	"github.com/mcp-credential/mcp-credential/credential"
)

// A sealed file is header, a random 96-bit nonce, then AES-256-GCM ciphertext and tag. Header, home, sign-in and token
// ID are authenticated with it, so that a file that was copied or renamed does not open. One key seals far fewer than
// the 2^32 files for which random nonces are good (NIST SP 800-38D section 8.3).
const (
	header  = "mcpcred\x01" // magic, then the version of the format
	keySize = 32            // bytes of a data key, which is used raw
)

var (
	errFormat = errors.New("not a token file of this version")
	errSealed = errors.New("it is corrupt, or was sealed with another key or for another place")
	errToken  = errors.New("its content is not a token")
)

// name says where what is sealed belongs.
type name struct{ home, signIn, token string }

func (n name) bind() []byte {
	return []byte(header + "\n" + n.home + "\n" + n.signIn + "\n" + n.token)
}

func checkKey(key credential.Secret) error {
	if len(key.Reveal()) != keySize {
		return credential.Fail(credential.Internal, "a data key is not 32 bytes long", nil)
	}
	return nil
}

func gcm(key credential.Secret) (cipher.AEAD, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	raw := []byte(key.Reveal())
	defer clear(raw)
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func seal(key credential.Secret, n name, t credential.Token) ([]byte, error) {
	plain, err := encodeToken(t)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	return sealBytes(key, n, plain)
}

func open(key credential.Secret, n name, file []byte) (credential.Token, error) {
	plain, err := unsealBytes(key, n, file)
	if err != nil {
		return credential.Token{}, err
	}
	defer clear(plain) // the token is a copy
	return decodeToken(plain)
}

func sealBytes(key credential.Secret, n name, plain []byte) ([]byte, error) {
	aead, err := gcm(key)
	if err != nil {
		return nil, err
	}
	return aead.Seal([]byte(header), nil, plain, n.bind()), nil
}

func unsealBytes(key credential.Secret, n name, file []byte) ([]byte, error) {
	sealed, ok := bytes.CutPrefix(file, []byte(header))
	if !ok {
		return nil, errFormat
	}
	aead, err := gcm(key)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nil, sealed, n.bind())
	if err != nil {
		return nil, errSealed
	}
	return plain, nil
}

// encodeToken refuses an access token that could not be used, so that none gets as far as the disk. One that is bound to a
// key has that before its scopes, sealed like itself: whoever may use it has to prove the key.
func encodeToken(t credential.Token) ([]byte, error) {
	if !credential.CheckBearer(t.Access.Reveal()) {
		return nil, credential.Fail(credential.Internal, "an access token that no header can carry is not cached", nil)
	}
	if (t.Type == credential.TypeDPoP) == t.Key.IsZero() {
		return nil, credential.Fail(credential.Internal, "an access token that is bound to a key is not cached without it", nil)
	}
	obtained, err1 := timeField(t.Obtained)
	expiry, err2 := timeField(t.Expiry)
	refreshAt, err3 := timeField(t.RefreshAt)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	fields := []string{t.Access.Reveal(), t.Type, obtained, expiry, refreshAt, t.Account, t.Issuer, t.Resource, t.Server}
	if t.Type == credential.TypeDPoP {
		fields = append(fields, t.Key.Reveal())
	}
	return packFields(append(fields, t.Scopes...)...), nil
}

func decodeToken(plain []byte) (credential.Token, error) {
	f, err := unpackFields(plain, 9)
	if err != nil || !credential.CheckBearer(f[0]) {
		return credential.Token{}, errToken
	}
	obtained, err1 := fieldTime(f[2])
	expiry, err2 := fieldTime(f[3])
	refreshAt, err3 := fieldTime(f[4])
	if errors.Join(err1, err2, err3) != nil {
		return credential.Token{}, errToken
	}
	t := credential.Token{
		Access: credential.NewSecret(f[0]), Type: f[1],
		Obtained: obtained, Expiry: expiry, RefreshAt: refreshAt,
		Account: f[5], Issuer: f[6], Resource: f[7], Server: f[8],
	}
	more := f[9:]
	if t.Type == credential.TypeDPoP {
		if len(more) == 0 || more[0] == "" {
			return credential.Token{}, errToken
		}
		t.Key, more = credential.NewSecret(more[0]), more[1:]
	}
	t.Scopes = append([]string(nil), more...)
	return t, nil
}
