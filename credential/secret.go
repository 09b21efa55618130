package credential

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
)

// redacted is what every formatter prints in place of a secret.
const redacted = "[redacted]"

// Secret is a string that fmt, log/slog, encoding/json and encoding/text print as a redaction. The value sits behind
// a pointer because fmt does not call methods on unexported fields of other structs: there it prints an address, and
// never the text. The zero Secret is empty.
type Secret struct{ value *string }

// NewSecret wraps s. An empty s gives the zero Secret.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{value: &s}
}

// Reveal returns the text. It is called by protocol encoders, the cache, the sources and the bridge's header writer
// only; a test in internal/archtest pins that list.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero reports whether there is no text.
func (s Secret) IsZero() bool { return s.value == nil }

// Equal compares in constant time for texts of equal length.
func (s Secret) Equal(o Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(o.Reveal())) == 1
}

// Fingerprint names a secret without giving it away: 16 hexadecimal digits of its SHA-256, or "" for an empty one.
// Use it for high-entropy values (tokens) only; a password could be guessed from it.
func (s Secret) Fingerprint() string {
	if s.IsZero() {
		return ""
	}
	sum := sha256.Sum256([]byte(s.Reveal()))
	return hex.EncodeToString(sum[:8])
}

// Format prints the redaction for every verb and flag.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// String returns the redaction.
func (s Secret) String() string { return redacted }

// GoString returns the redaction.
func (s Secret) GoString() string { return redacted }

// MarshalText returns the redaction: a Secret cannot be written to JSON, TOML or a text log by accident.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
