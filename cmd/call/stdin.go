package call

import (
	"io"
	"os"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// boundedStdin wraps stdin so that it cannot hang: a terminal is refused at once, and every read must bring something
// within credential.StdinSilence. Claude Code's headersHelper, for one, gets a socket that never sends and never ends.
func boundedStdin(stdin *os.File) (io.Reader, error) {
	if stdin == nil || Terminal(stdin) {
		return nil, credential.Fail(credential.BadInput, "there is no server URL, and stdin is a terminal", nil)
	}
	p := &stdinReader{chunks: make(chan chunk)}
	go p.readAll(stdin)
	return p, nil
}

type chunk struct {
	data []byte
	err  error
}

// stdinReader hands on what a goroutine reads. The goroutine may be left behind in a read: the process ends soon.
type stdinReader struct {
	chunks chan chunk
	rest   []byte
	err    error
}

func (p *stdinReader) readAll(r io.Reader) {
	for {
		buf := make([]byte, 4096)
		n, err := r.Read(buf)
		p.chunks <- chunk{buf[:n], err}
		if err != nil {
			return
		}
	}
}

func (p *stdinReader) Read(into []byte) (int, error) {
	for len(p.rest) == 0 {
		if p.err != nil {
			return 0, p.err
		}
		timer := time.NewTimer(credential.StdinSilence)
		select {
		case next := <-p.chunks:
			p.rest, p.err = next.data, next.err
		case <-timer.C:
			p.err = credential.Fail(credential.BadInput, "there is no server URL, and stdin stayed silent for "+credential.StdinSilence.String(), nil)
		}
		timer.Stop()
	}
	n := copy(into, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}
