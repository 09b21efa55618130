package datakey

import (
	"encoding/hex"
	"strings"
	"testing"
)

// The vector was computed with HMAC-SHA256 alone, by the two steps of RFC 5869.
func TestDerive(t *testing.T) {
	secret, salt := []byte(strings.Repeat("s", MinSecret)), []byte("0123456789abcdef")
	key, err := Derive(secret, salt)
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString([]byte(key.Reveal())); got != "98722aafa2801dd92e35ae7bfbc287214643d7204bcd9bccd099a7ccd796d88f" {
		t.Errorf("key %s", got)
	}
	other, _ := Derive(secret, []byte("another"))
	third, _ := Derive([]byte(strings.Repeat("t", MinSecret)), salt)
	if key.Equal(other) || key.Equal(third) {
		t.Error("salt or secret makes no difference")
	}
	if short, err := Derive(secret[1:], salt); err != nil || !short.IsZero() {
		t.Errorf("a short secret: %v", err)
	}
}
