package protocol

import (
	"io"

	"github.com/mcp-credential/mcp-credential/credential"
)

// encodeHeader writes one header line for curl -H @file. It ends in LF alone: curl adds the CR itself.
func encodeHeader(w io.Writer, _ Request, t credential.Token) error {
	token, err := bearer(t)
	if err != nil {
		return err
	}
	return write(w, "Authorization: Bearer "+token+"\n")
}
