package doctor

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/credential"
)

// Whatever a token says of itself is taken without a panic; a token that is not a JWT is opaque.
func FuzzClaims(f *testing.F) {
	for _, seed := range []string{`{"iss":"https://i","aud":"a","scope":"b","exp":1700000000}`, `{"aud":["a","b"],"scp":"x y"}`, `{"aud":7}`, `{"exp":1e300}`, `null`, `[`} {
		f.Add("e30." + base64.RawURLEncoding.EncodeToString([]byte(seed)) + ".s")
	}
	f.Add("opaque")
	f.Add("a.%.c")
	f.Fuzz(func(t *testing.T, token string) {
		c, ok := readClaims(credential.NewSecret(token))
		if ok && strings.Count(token, ".") != 2 {
			t.Fatalf("%q is a JWT: %+v", token, c)
		}
		_ = c.String()
		c.covers("https://h/mcp", "https://h/mcp", "", []string{"api://x/y"})
	})
}
