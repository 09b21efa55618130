package cache

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// A token file is header, a random 96-bit nonce, then AES-256-GCM ciphertext and tag. Header, home, sign-in and token
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

// name says where a sealed token belongs.
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
	block, err := aes.NewCipher([]byte(key.Reveal()))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func seal(key credential.Secret, n name, t credential.Token) ([]byte, error) {
	aead, err := gcm(key)
	if err != nil {
		return nil, err
	}
	plain, err := encodeToken(t)
	if err != nil {
		return nil, err
	}
	return aead.Seal([]byte(header), nil, plain, n.bind()), nil
}

func open(key credential.Secret, n name, file []byte) (credential.Token, error) {
	sealed, ok := bytes.CutPrefix(file, []byte(header))
	if !ok {
		return credential.Token{}, errFormat
	}
	aead, err := gcm(key)
	if err != nil {
		return credential.Token{}, err
	}
	plain, err := aead.Open(nil, nil, sealed, n.bind())
	if err != nil {
		return credential.Token{}, errSealed
	}
	return decodeToken(plain)
}

// record is a token as JSON. It exists because a credential.Secret does not marshal.
type record struct {
	Access    string    `json:"access"`
	Type      string    `json:"type,omitempty"`
	Obtained  time.Time `json:"obtained,omitzero"`
	Expiry    time.Time `json:"expiry,omitzero"`
	RefreshAt time.Time `json:"refresh_at,omitzero"`
	Scopes    []string  `json:"scopes,omitempty"`
	Account   string    `json:"account,omitempty"`
	Issuer    string    `json:"issuer,omitempty"`
	Resource  string    `json:"resource,omitempty"`
	Server    string    `json:"server,omitempty"`
}

// encodeToken refuses an access token that could not be handed out, so that none gets as far as the disk.
func encodeToken(t credential.Token) ([]byte, error) {
	if !credential.CheckBearer(t.Access.Reveal()) {
		return nil, credential.Fail(credential.Internal, "an access token that no header can carry is not cached", nil)
	}
	return json.Marshal(record{
		Access: t.Access.Reveal(), Type: t.Type,
		Obtained: t.Obtained.UTC(), Expiry: t.Expiry.UTC(), RefreshAt: t.RefreshAt.UTC(),
		Scopes: t.Scopes, Account: t.Account, Issuer: t.Issuer, Resource: t.Resource, Server: t.Server,
	})
}

func decodeToken(plain []byte) (credential.Token, error) {
	var r record
	if err := json.Unmarshal(plain, &r); err != nil || !credential.CheckBearer(r.Access) {
		return credential.Token{}, errToken // the JSON error could quote the content
	}
	return credential.Token{
		Access: credential.NewSecret(r.Access), Type: r.Type,
		Obtained: r.Obtained, Expiry: r.Expiry, RefreshAt: r.RefreshAt,
		Scopes: r.Scopes, Account: r.Account, Issuer: r.Issuer, Resource: r.Resource, Server: r.Server,
	}, nil
}
