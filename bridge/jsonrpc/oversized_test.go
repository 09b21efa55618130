package jsonrpc

import (
	"slices"
	"strings"
	"testing"
)

// What a message that is too large leaves behind, in pieces of any size.
func TestOversized(t *testing.T) {
	for line, want := range map[string]Oversized{
		`{"method":"x","params":{"id":1},"id":"a\\\"b,\"id\":3"}`: {ID: ID(`"a\\\"b,\"id\":3"`), hasID: true, isCall: true},
		`{"a\"id":1,"x":"\\","id":2}`:                             {ID: ID("2"), hasID: true},
		`{"method":"x","id":"` + strings.Repeat("a", 300) + `"}`:  {hasID: true, isCall: true},
		`{"id":4,"result":{"method":"x"}}`:                        {ID: ID("4"), hasID: true, isAnswer: true},
		`{"method":"x","params":[{"id":1,"result":2}]}`:           {isCall: true},
		`{"id":5,"method":"x"`:                                    {ID: ID("5"), hasID: true},
		strings.Repeat("[", 300) + `"id":1`:                       {},
		"no JSON":                                                 {},
	} {
		for size := 1; size <= len(line); size++ {
			var o Oversized
			for piece := range slices.Chunk([]byte(line), size) {
				_, _ = o.Write(piece)
			}
			if string(o.ID) != string(want.ID) || o.hasID != want.hasID || o.isCall != want.isCall || o.isAnswer != want.isAnswer || len(o.token) > maxID+1 {
				t.Fatalf("%s, %v, %v, %v is left of %s in pieces of %d", o.ID, o.hasID, o.isCall, o.isAnswer, line, size)
			}
		}
	}
}

// What is left of a message is what Parse reads of it, however it comes in pieces.
func FuzzOversized(f *testing.F) {
	f.Add(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"data":"PAD"}}`, uint8(3))
	f.Add(`{"method":"tools/call","params":{"data":"PAD"},"jsonrpc":"2.0", "id" : 7 }`, uint8(3))
	f.Add(`{"method":"tools/call","params":{"q":"\"id\":3,","data":"PAD"},"note":"\"id\":9","id":7}`, uint8(3))
	f.Add(`{"id":"a\\\"","method":"x"}`, uint8(1))
	f.Add(`[{"id":1,"method":"x"}]`, uint8(2))
	f.Add(`{"result":{"id":2},"id":"a"}`, uint8(4))
	f.Add(`{"error":{"code":1},"method":"x","id":-1.5e3}`, uint8(5))
	f.Add("{\"id\":\"\xef\",\"method\":\"\"}", uint8(1))
	f.Fuzz(func(t *testing.T, line string, size uint8) {
		var o Oversized
		for piece := range slices.Chunk([]byte(line), int(size)+1) {
			_, _ = o.Write(piece)
		}
		if len(o.token) > maxID+1 {
			t.Fatalf("%d bytes are kept", len(o.token))
		}
		m, err := Parse([]byte(line))
		if err != nil || m.Kind == Batch || strings.Contains(line, "\\u") || len(m.ID) > maxID {
			return
		}
		if m.ID != nil && (m.ID[0] == '{' || m.ID[0] == '[') {
			return
		}
		if o.Kind() != m.Kind || string(o.ID) != string(m.ID) {
			t.Fatalf("%s, kind %d is left of %s", o.ID, o.Kind(), line)
		}
	})
}
