// Package datakey makes a data key of a secret that a process holds anyway. Where the salt and the sealed token are
// kept is left to the caller.
package datakey

import (
	"crypto/hkdf"
	"crypto/sha256"

	"github.com/mcp-credential/mcp-credential/credential"
)

// MinSecret is the length in bytes from which a secret may seal a token. HKDF adds no strength: whoever has the cache
// file can try secrets as fast as a hash can be computed, which only a long random one withstands (RFC 5869 section 4).
const MinSecret = 32

const (
	size    = 32 // AES-256
	purpose = "mcp-credential access token 1"
)

// Derive returns the data key for a secret and a salt by HKDF-SHA256 (RFC 5869), and the zero Secret for a secret that
// is too short.
func Derive(secret, salt []byte) (credential.Secret, error) {
	if len(secret) < MinSecret {
		return credential.Secret{}, nil
	}
	key, err := hkdf.Key(sha256.New, secret, salt, purpose, size)
	if err != nil {
		return credential.Secret{}, credential.Fail(credential.Internal, "a data key cannot be derived", err)
	}
	return credential.NewSecret(string(key)), nil
}
