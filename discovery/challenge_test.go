package discovery

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/credential"
)

func TestParseChallenge(t *testing.T) {
	claims := `{"access_token":{"acrs":{"values":["c1"]}}}`
	for name, test := range map[string]struct {
		values []string
		want   Challenge
	}{
		"none":          {nil, Challenge{}},
		"not ours":      {[]string{`Basic realm="x"`}, Challenge{}},
		"all":           {[]string{`Bearer realm="x", error="insufficient_scope", scope="a b", resource_metadata="https://h/m"`}, Challenge{Scheme: "bearer", Error: "insufficient_scope", Scope: "a b", ResourceMetadata: "https://h/m"}},
		"second scheme": {[]string{`Basic realm="x", bearer scope=a`}, Challenge{Scheme: "bearer", Scope: "a"}},
		"second value":  {[]string{`Negotiate YII=`, `Bearer scope="a"`}, Challenge{Scheme: "bearer", Scope: "a"}},
		"empty realm":   {[]string{`Bearer realm="", authorization_uri="https://h/a", scope="", error="insufficient_claims", claims="` + base64.StdEncoding.EncodeToString([]byte(claims)) + `"`}, Challenge{Scheme: "bearer", Error: "insufficient_claims", Claims: claims}},
		"DPoP":          {[]string{`Basic realm="x", DPoP algs="ES256 PS256", error="use_dpop_nonce", scope="a"`}, Challenge{Scheme: "dpop", Error: "use_dpop_nonce", Scope: "a"}},
		"both":          {[]string{`DPoP algs="ES256", error="use_dpop_nonce"`, `Bearer error="invalid_token", scope="a", resource_metadata="https://h/m"`}, Challenge{Scheme: "bearer", Error: "use_dpop_nonce", Scope: "a", ResourceMetadata: "https://h/m"}},
		"bare":          {[]string{`Bearer`}, Challenge{Scheme: "bearer"}},
		"claims":        {[]string{`Bearer claims="` + base64.StdEncoding.EncodeToString([]byte(claims)) + `"`}, Challenge{Scheme: "bearer", Claims: claims}},
		"claims, URL":   {[]string{`Bearer claims="` + base64.RawURLEncoding.EncodeToString([]byte(claims)) + `"`}, Challenge{Scheme: "bearer", Claims: claims}},
	} {
		if got, err := ParseChallenge(test.values); err != nil || got != test.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for _, bad := range []string{"Bearer scope=\"a\nb\"", "Bearer scope=\"a", "Bearer =", `Bearer scope=a=""`, `Bearer claims="%"`, `Bearer claims="bnVsbA"`, "Bearer scope=" + strings.Repeat("a", maxChallenge)} {
		got, err := ParseChallenge([]string{bad})
		if credential.KindOf(err) != credential.BadInput || err == nil || got != (Challenge{}) {
			t.Errorf("%.40q: %+v, %v", bad, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "scope") {
			t.Errorf("the error quotes the challenge: %v", err)
		}
	}
}

// FuzzParseChallenge writes what was read as a challenge again, and reads it again.
func FuzzParseChallenge(f *testing.F) {
	for _, seed := range []string{"", "Bearer", `Bearer a="b", c=d`, `Basic x, Bearer scope="a \"b", error=e`, `Bearer claims="e30"`, "Bearer a=\"\x00\"", `Bearer realm="", error="e"`, `Bearer scope=a=""`, `DPoP algs="ES256", error="e"`, `Bearer scope="a", DPoP error="e"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		c, err := ParseChallenge([]string{value})
		if err != nil || c.Scheme == "" {
			if c != (Challenge{}) {
				t.Fatalf("%+v beside %v", c, err)
			}
			return
		}
		if all := c.Error + c.Scope + c.ResourceMetadata; strings.ContainsAny(all, "\x00\n\r\x7f") {
			t.Fatalf("control character in %+v", c)
		}
		again, err := ParseChallenge([]string{write(c)})
		if err != nil || again != c {
			t.Fatalf("%+v became %+v, %v", c, again, err)
		}
	})
}

func write(c Challenge) string {
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	parts := []string{}
	for _, p := range [][2]string{{"error", c.Error}, {"scope", c.Scope}, {"resource_metadata", c.ResourceMetadata}} {
		if p[1] != "" {
			parts = append(parts, p[0]+`="`+quote.Replace(p[1])+`"`)
		}
	}
	if c.Claims != "" {
		parts = append(parts, `claims="`+base64.StdEncoding.EncodeToString([]byte(c.Claims))+`"`)
	}
	return strings.TrimSpace(c.Scheme + " " + strings.Join(parts, ", "))
}
