package protocol

import (
	"bufio"
	"io"

	"github.com/mcp-credential/mcp-credential/credential"
)

// withoutBOM passes over the byte order mark that Windows PowerShell 5.1 puts before what it pipes.
func withoutBOM(r io.Reader) *bufio.Reader {
	b := bufio.NewReader(r)
	const longest = 3
	if start, _ := b.Peek(longest); len(start) == longest && len(credential.WithoutBOM(start)) == 0 {
		_, _ = b.Discard(longest)
	}
	return b
}
