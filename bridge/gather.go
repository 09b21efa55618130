package bridge

import (
	"errors"
	"io"
)

// errTooLong says that a message is larger than the bridge takes.
var errTooLong = errors.New("the message is too long")

// Sizes of the pieces that a message is gathered in, in bytes: the first of an answer fits most of them whole.
const (
	firstPiece = 4 << 10
	mostPiece  = 1 << 20
)

// gather collects a message of unknown length in pieces and joins them once, so that a large message needs its size
// twice for a moment; growing one slice would need more, and leave all its smaller selves behind as garbage.
type gather struct {
	max    int
	large  func() // called for each piece of mostPiece that it takes; nil: nothing
	size   int
	pieces [][]byte
}

// room returns the free end of the last piece, or of a new one: the first is of the size first.
func (g *gather) room(first int) []byte {
	n := len(g.pieces)
	if n == 0 || len(g.pieces[n-1]) == cap(g.pieces[n-1]) {
		size := first
		if n > 0 {
			size = min(4*cap(g.pieces[n-1]), mostPiece)
		}
		if size == mostPiece && g.large != nil {
			g.large()
		}
		g.pieces = append(g.pieces, make([]byte, 0, size))
		n++
	}
	last := g.pieces[n-1]
	return last[len(last):cap(last)]
}

func (g *gather) took(n int) error {
	last := len(g.pieces) - 1
	g.pieces[last] = g.pieces[last][:len(g.pieces[last])+n]
	if g.size += n; g.size > g.max {
		return errTooLong
	}
	return nil
}

// Write adds a copy of p, or fails with errTooLong.
func (g *gather) Write(p []byte) (int, error) {
	for done := 0; done < len(p); {
		n := copy(g.room(min(len(p)+1, mostPiece)), p[done:])
		done += n
		if err := g.took(n); err != nil {
			return done, err
		}
	}
	return len(p), nil
}

// ReadFrom adds everything up to the end of r, or fails with errTooLong.
func (g *gather) ReadFrom(r io.Reader) (int64, error) {
	for {
		n, err := r.Read(g.room(firstPiece))
		if terr := g.took(n); terr != nil {
			return int64(g.size), terr
		}
		if errors.Is(err, io.EOF) {
			return int64(g.size), nil
		}
		if err != nil {
			return int64(g.size), err
		}
	}
}

// join returns the whole and begins anew. There is room for a line break behind it.
func (g *gather) join() []byte {
	pieces := g.pieces
	size := g.size
	g.pieces, g.size = nil, 0
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
