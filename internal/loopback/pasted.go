package loopback

import (
	"net/url"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
)

// maxPasted bounds a pasted redirect in bytes.
const maxPasted = 16 << 10

// ParsePasted reads what a person copied out of the address bar: the whole redirect, or only its query. Errors are of
// kind BadInput and do not repeat the text, which holds a code.
func ParsePasted(text, redirect string) (url.Values, error) {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > maxPasted {
		return nil, credential.Fail(credential.BadInput, "the pasted address is empty or longer than 16 KiB", nil)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return nil, credential.Fail(credential.BadInput, "the pasted address contains a space or a control character", nil)
	}
	query := strings.TrimPrefix(text, "?")
	if strings.Contains(text, "://") && !strings.HasPrefix(text, "?") {
		at, rest, _ := strings.Cut(text, "?")
		if at != redirect && at != redirect+"/" { // which browsers show before the query of http://localhost:1234
			return nil, credential.Fail(credential.BadInput, "the pasted address is not the one that the sign-in ends on, which begins with "+redirect, nil)
		}
		query = rest
	}
	query, _, _ = strings.Cut(query, "#")
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, credential.Fail(credential.BadInput, "the pasted address cannot be read", nil)
	}
	return values, nil
}
