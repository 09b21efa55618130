package jsonrpc

import (
	"errors"
	"io"
)

// ErrTooLong says that a message is larger than its reader takes.
var ErrTooLong = errors.New("the message is too long")

// Sizes of the pieces that a message is collected in, in bytes: the first of an answer fits most of them whole.
const (
	firstPiece = 4 << 10
	mostPiece  = 1 << 20
)

// Limit bounds a message.
type Limit struct {
	Size  int    // in bytes
	Large func() // called for each megabyte of a message, by any goroutine; nil: nothing is done
}

// Buffer collects a message of unknown length in pieces and joins them once, so that a large message needs its size
// twice for a moment; growing one slice would need more, and leave all its smaller selves behind as garbage.
type Buffer struct {
	Limit
	size   int
	pieces [][]byte
}

// Len is the number of bytes that were collected.
func (b *Buffer) Len() int { return b.size }

// free returns the free end of the last piece, or of a new one: the first is of the size first.
func (b *Buffer) free(first int) []byte {
	n := len(b.pieces)
	if n == 0 || len(b.pieces[n-1]) == cap(b.pieces[n-1]) {
		size := first
		if n > 0 {
			size = min(4*cap(b.pieces[n-1]), mostPiece)
		}
		if size == mostPiece && b.Large != nil {
			b.Large()
		}
		b.pieces = append(b.pieces, make([]byte, 0, size))
		n++
	}
	last := b.pieces[n-1]
	return last[len(last):cap(last)]
}

// filled notes that n bytes of what free has returned are in use.
func (b *Buffer) filled(n int) error {
	last := len(b.pieces) - 1
	b.pieces[last] = b.pieces[last][:len(b.pieces[last])+n]
	if b.size += n; b.size > b.Size {
		return ErrTooLong
	}
	return nil
}

// Write adds a copy of p, or fails with ErrTooLong.
func (b *Buffer) Write(p []byte) (int, error) {
	for done := 0; done < len(p); {
		n := copy(b.free(min(len(p)+1, mostPiece)), p[done:])
		done += n
		if err := b.filled(n); err != nil {
			return done, err
		}
	}
	return len(p), nil
}

// ReadFrom adds everything up to the end of r, or fails with ErrTooLong.
func (b *Buffer) ReadFrom(r io.Reader) (int64, error) {
	for {
		n, err := r.Read(b.free(firstPiece))
		if long := b.filled(n); long != nil {
			return int64(b.size), long
		}
		if errors.Is(err, io.EOF) {
			return int64(b.size), nil
		}
		if err != nil {
			return int64(b.size), err
		}
	}
}

// Take returns the whole, with room for a line break behind it, and begins anew.
func (b *Buffer) Take() []byte {
	pieces, size := b.pieces, b.size
	b.pieces, b.size = nil, 0
	if len(pieces) == 1 {
		return pieces[0]
	}
	whole := make([]byte, 0, size+1)
	for i, piece := range pieces {
		whole = append(whole, piece...)
		pieces[i] = nil
	}
	return whole
}
