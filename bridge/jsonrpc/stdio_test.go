package jsonrpc

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// Lines come whole, whatever their length.
func FuzzLines(f *testing.F) {
	f.Add("a\n\nb\r\nc", uint16(3))
	f.Add(strings.Repeat("x", 70000)+"\ny", uint16(60000))
	f.Fuzz(func(t *testing.T, data string, max uint16) {
		var got []string
		err := ReadLines(strings.NewReader(data), Limit{Size: int(max) + 1}, func(b []byte) { got = append(got, string(b)) }, func(*Oversized) {
			got = append(got, "too long")
		})
		var want []string
		for line := range strings.Lines(data) {
			if len(line) > int(max)+1 {
				line = "too long"
			}
			want = append(want, line)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%q, %v, want %q", got, err, want)
		}
	})
}

// A reader that fails ends the reading with its error.
func TestReadFails(t *testing.T) {
	broken := errors.New("broken")
	err := ReadLines(io.MultiReader(strings.NewReader("a\n"), iotest.ErrReader(broken)), Limit{Size: 9}, func([]byte) {}, nil)
	if !errors.Is(err, broken) {
		t.Error(err)
	}
}

// A peer that is gone is told of once, and loses what is written later.
func TestWriterBreaks(t *testing.T) {
	r, pipe := io.Pipe()
	w := NewWriter(pipe)
	r.Close()
	w.Send([]byte("{}"))
	<-w.Broken()
	w.Send([]byte("{}"))
	w.Close()
}
