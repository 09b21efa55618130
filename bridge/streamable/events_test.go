package streamable

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
)

// A stream reads the same whatever pieces it arrives in, and what was written as events is read back.
func FuzzEvents(f *testing.F) {
	for _, seed := range []string{
		"data: {}\n\n", "id: 1\nevent: message\ndata: a\ndata: b\nretry: 10\n\n", ":\n\r\ndata:x\r\n\r\n", "\ufeffdata: y\n\n", "data\n\n", "id\nid: \x00\n\n",
		"data: " + strings.Repeat("a", 40000) + "\n\n", ": " + strings.Repeat("b", 40000) + "\nretry: -1\nretry: 99999999999999\ndata: z\n\n",
	} {
		f.Add([]byte(seed))
	}
	type outcome struct {
		all   []string
		last  string
		end   string
		retry int64
	}
	read := func(r io.Reader) (o outcome) {
		e := newEventReader(r, jsonrpc.Limit{Size: 1 << 20})
		for {
			ev, err := e.next()
			if err != nil {
				o.last, o.end, o.retry = e.lastID, err.Error(), int64(e.retry)
				return o
			}
			o.all = append(o.all, ev.name+"|"+string(ev.data))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		whole, slow := read(bytes.NewReader(data)), read(iotest.OneByteReader(bytes.NewReader(data)))
		if !slices.Equal(whole.all, slow.all) || whole.last != slow.last || whole.retry != slow.retry || whole.end != "EOF" {
			t.Fatalf("%q: %v, byte by byte %v", data, whole, slow)
		}
		text := strings.Map(func(r rune) rune {
			if r == '\r' || r == '\ufeff' {
				return -1
			}
			return r
		}, string(data))
		back := read(strings.NewReader("data: " + strings.ReplaceAll(text, "\n", "\ndata: ") + "\n\n"))
		if len(back.all) != 1 || back.all[0] != "|"+text {
			t.Fatalf("%q came back as %q", text, back.all)
		}
	})
}
