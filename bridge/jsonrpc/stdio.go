package jsonrpc

import (
	"bufio"
	"errors"
	"io"
	"sync"
	"sync/atomic"
)

// Writer writes messages, one at a time and each whole.
type Writer struct {
	mu     sync.Mutex
	w      io.Writer
	closed atomic.Bool
	broken chan struct{}
}

// NewWriter writes to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w, broken: make(chan struct{})} }

// Broken is closed when a write has failed: nobody reads any more.
func (w *Writer) Broken() <-chan struct{} { return w.broken }

// Send writes one message, which has no line breaks in it and is the caller's to give away. A peer that does not read
// holds the caller up; one that is gone loses the message.
func (w *Writer) Send(message []byte) {
	message = append(message, '\n')
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed.Load() {
		return
	}
	if _, err := w.w.Write(message); err != nil {
		w.closed.Store(true)
		close(w.broken)
	}
}

// Close ends the writing. It does not wait for a write that the peer holds up.
func (w *Writer) Close() { w.closed.Store(true) }

// ReadLines hands on each line of r until its end. A line that is longer than limit is dropped; tooLong gets what was seen
// of it, at its end.
func ReadLines(r io.Reader, limit Limit, line func([]byte), tooLong func(*Oversized)) error {
	in := bufio.NewReaderSize(r, 64<<10)
	b := Buffer{Limit: limit}
	for {
		part, err := in.ReadSlice('\n')
		n, long := b.Write(part)
		switch {
		case long != nil:
			var seen Oversized
			for _, piece := range b.pieces {
				_, _ = seen.Write(piece)
			}
			_, _ = seen.Write(part[n:])
			b = Buffer{Limit: limit}
			for errors.Is(err, bufio.ErrBufferFull) {
				part, err = in.ReadSlice('\n')
				_, _ = seen.Write(part)
			}
			tooLong(&seen)
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case b.size > 0:
			line(b.Take())
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}
