package protocol

import (
	"io"

	"github.com/mcp-credential/mcp-credential/credential"
)

// encodeToken writes the access token and a newline, which command substitution and the hosts' key helpers cut off.
func encodeToken(w io.Writer, _ Request, t credential.Token) error {
	token, err := bearer(t)
	if err != nil {
		return err
	}
	return write(w, token+"\n")
}
