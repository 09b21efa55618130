package discovery

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/mcp-credential/mcp-credential/credential"
)

// maxChallenge bounds all WWW-Authenticate values of an answer together, in bytes.
const maxChallenge = 16 << 10

// Challenge is the Bearer or DPoP challenge of a WWW-Authenticate header (RFC 6750 section 3, RFC 9728 section 5.1, RFC 9449
// section 7.1). Where a server sends both, it is what they say together.
type Challenge struct {
	Scheme           string // "bearer"; "dpop" from a server that takes no bearer token; "" where there is no challenge
	Error            string // error code, such as insufficient_scope
	Scope            string // as sent: scopes separated by spaces
	Claims           string // claims challenge of Entra ID, decoded: a JSON object
	ResourceMetadata string // URL of the metadata, not judged yet
}

// SchemeDPoP is the Scheme of a server that takes no bearer token.
const SchemeDPoP = "dpop"

// ParseChallenge returns the first Bearer and the first DPoP challenge of the header values as one, and the zero Challenge
// where there is neither. Values that are malformed, too long or contain control characters are errors of kind BadInput,
// unless another value holds a challenge (Negotiate beside Bearer is common, and its syntax is not everybody's).
func ParseChallenge(values []string) (Challenge, error) {
	if len(strings.Join(values, "")) > maxChallenge {
		return Challenge{}, credential.Fail(credential.BadInput, "the challenge is longer than 16 KiB", nil)
	}
	malformed := false
	found := map[string]oauthex.Challenge{}
	for _, v := range values {
		if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return Challenge{}, credential.Fail(credential.BadInput, "the challenge contains a control character", nil)
		}
		parsed, err := oauthex.ParseWWWAuthenticate([]string{strings.ReplaceAll(v, `=""`, `="`+empty+`"`)})
		malformed = malformed || err != nil
		for _, c := range parsed {
			if _, seen := found[c.Scheme]; !seen {
				found[c.Scheme] = c
			}
		}
	}
	for _, scheme := range []string{"bearer", SchemeDPoP} {
		if _, ok := found[scheme]; ok {
			return newChallenge(scheme, found["bearer"].Params, found[SchemeDPoP].Params)
		}
	}
	if malformed {
		return Challenge{}, credential.Fail(credential.BadInput, "the challenge is malformed", nil)
	}
	return Challenge{}, nil
}

// empty stands for an empty value, which the SDK calls malformed and Entra ID's realm has.
const empty = "\x01"

// newChallenge makes one of the parameters of several, of which later ones win.
func newChallenge(scheme string, all ...map[string]string) (Challenge, error) {
	params := map[string]string{}
	for _, some := range all {
		maps.DeleteFunc(some, func(_, value string) bool { return value == empty })
		maps.Copy(params, some)
	}
	for _, value := range params {
		if strings.Contains(value, empty) { // quotes where none may be
			return Challenge{}, credential.Fail(credential.BadInput, "the challenge is malformed", nil)
		}
	}
	claims, err := decodeClaims(params["claims"])
	if err != nil {
		return Challenge{}, err
	}
	return Challenge{
		Scheme:           scheme,
		Error:            params["error"],
		Scope:            params["scope"],
		Claims:           claims,
		ResourceMetadata: params["resource_metadata"],
	}, nil
}

// decodeClaims takes what Entra ID sends: a JSON object in base64 of either alphabet, padded or not.
func decodeClaims(raw string) (string, error) {
	if raw == "" {
		return "", nil
	}
	plain := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(raw, "="))
	data, err := base64.RawStdEncoding.DecodeString(plain)
	var object map[string]any
	if err != nil || json.Unmarshal(data, &object) != nil || object == nil {
		return "", credential.Fail(credential.BadInput, "the claims of the challenge are not a JSON object in base64", nil)
	}
	return string(data), nil
}
