package protocol

import (
	"bufio"

	"github.com/mcp-credential/mcp-credential/credential"
)

// skipBOM passes over the byte order mark that Windows PowerShell 5.1 puts before what it pipes. It waits for no more than
// the first byte where there is none.
func skipBOM(r *bufio.Reader) {
	const mark, first = 3, 0xef
	if start, _ := r.Peek(1); len(start) == 0 || start[0] != first {
		return
	}
	if start, _ := r.Peek(mark); len(start) == mark && len(credential.WithoutBOM(start)) == 0 {
		_, _ = r.Discard(mark)
	}
}
