package bridge

import (
	"bufio"
	"errors"
	"io"
	"sync"
	"sync/atomic"
)

// host is the host's side: lines out, one writer at a time, each message whole.
type host struct {
	mu     sync.Mutex
	w      io.Writer
	closed atomic.Bool
	gone   chan struct{} // closed when a write has failed: nobody reads any more
}

func newHost(w io.Writer) *host { return &host{w: w, gone: make(chan struct{})} }

// send writes one message, which has no line breaks in it and is the caller's to give away. A host that does not read
// holds the caller up; one that is gone loses the message.
func (h *host) send(msg []byte) {
	msg = append(msg, '\n')
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed.Load() {
		return
	}
	if _, err := h.w.Write(msg); err != nil {
		h.closed.Store(true)
		close(h.gone)
	}
}

// close ends the writing. It does not wait for a write that the host holds up.
func (h *host) close() { h.closed.Store(true) }

// readLines hands on each line of r until its end, gathered as with none. A line that is too long for that is dropped;
// tooLong gets what was seen of it, at its end.
func readLines(r io.Reader, none gather, line func([]byte), tooLong func(*skim)) error {
	in := bufio.NewReaderSize(r, 64<<10)
	g := none
	for {
		part, err := in.ReadSlice('\n')
		n, werr := g.Write(part)
		switch {
		case werr != nil:
			var seen skim
			for _, piece := range g.pieces {
				_, _ = seen.Write(piece)
			}
			_, _ = seen.Write(part[n:])
			g = none
			if errors.Is(err, bufio.ErrBufferFull) {
				err = skimLine(in, &seen)
			}
			tooLong(&seen)
		case errors.Is(err, bufio.ErrBufferFull):
			err = nil
			continue
		case g.size > 0:
			line(g.join())
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if err != nil {
			return nil
		}
	}
}

func skimLine(in *bufio.Reader, seen *skim) error {
	for {
		part, err := in.ReadSlice('\n')
		_, _ = seen.Write(part)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}
