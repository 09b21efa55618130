package protocol

import (
	"io"

	"github.com/mcp-credential/mcp-credential/credential"
)

// encodeHeaders writes what Claude Code (headersHelper) and Codex (http_headers_helper) read: one JSON object of string
// to string. Both drop the whole answer for anything before, after or besides it. A bearer token needs no escaping in
// a JSON string.
func encodeHeaders(w io.Writer, _ Request, t credential.Token) error {
	token, err := bearer(t)
	if err != nil {
		return err
	}
	return write(w, `{"Authorization":"Bearer `+token+"\"}\n")
}
