package bridge

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// Peeking changes nothing but line breaks, and reads the envelope as encoding/json does.
func FuzzPeek(f *testing.F) {
	for _, seed := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":[1,{"b":"}\""}]}}`, "{\n\"id\":\r\n9007199254740993,\"result\":null}", `[{"id":"a","method":"b"},{"method":"c"}]`,
		`{"id":null,"error":{"code":1}}`, `{"i\u0064":1e400,"method":"\ud800"}`, `{"id":{"a":1},"method":"x","id":2}`, "\ufeff{}", `[[]]`, `""`, `{"":"\\"}`, `{"a":"\\\""}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := peek(bytes.Clone(data))
		if errors.Is(err, errNotJSON) {
			if json.Valid(bytes.Trim(bytes.TrimPrefix(data, []byte("\ufeff")), space)) {
				t.Fatalf("%q was refused", data)
			}
			return
		}
		if bytes.ContainsAny(m.raw, "\r\n") {
			t.Fatalf("%q has a line break", m.raw)
		}
		var before, after any
		if json.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), &before) == nil {
			if err := json.Unmarshal(m.raw, &after); err != nil {
				t.Fatalf("%q became %q", data, m.raw)
			}
		}
		var object map[string]json.RawMessage
		if m.kind != batch && json.Unmarshal(m.raw, &object) == nil {
			for name, got := range map[string][]byte{"id": m.id, "params": m.params, "result": m.result, "error": m.fail} {
				if want := object[name]; !bytes.Equal(want, got) {
					t.Fatalf("%s of %q is %q, want %q", name, m.raw, got, want)
				}
			}
		}
		again, err2 := peek(bytes.Clone(m.raw))
		if err2 != err && (err == nil) != (err2 == nil) || !bytes.Equal(again.raw, m.raw) {
			t.Fatalf("%q became %q", m.raw, again.raw)
		}
		new(tools).learn(m.raw, func(string, error) {})
	})
}

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
		e := newEvents(r, gather{max: 1 << 20})
		for {
			ev, err := e.next()
			if err != nil {
				o.last, o.end, o.retry = e.last, err.Error(), int64(e.retry)
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

// Lines come whole, whatever their length.
func FuzzLines(f *testing.F) {
	f.Add("a\n\nb\r\nc", uint16(3))
	f.Add(strings.Repeat("x", 70000)+"\ny", uint16(60000))
	f.Fuzz(func(t *testing.T, data string, max uint16) {
		var got []string
		err := readLines(strings.NewReader(data), gather{max: int(max) + 1}, func(b []byte) { got = append(got, string(b)) }, func(*skim) {
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

// What is skimmed of a message is what peek reads of it, however it comes in pieces.
func FuzzSkim(f *testing.F) {
	for _, line := range longLines {
		f.Add(line, uint8(3))
	}
	f.Add(`{"id":"a\\\"","method":"x"}`, uint8(1))
	f.Add(`[{"id":1,"method":"x"}]`, uint8(2))
	f.Add(`{"result":{"id":2},"id":"a"}`, uint8(4))
	f.Add(`{"error":{"code":1},"method":"x","id":-1.5e3}`, uint8(5))
	f.Fuzz(func(t *testing.T, line string, size uint8) {
		var s skim
		for piece := range slices.Chunk([]byte(line), int(size)+1) {
			_, _ = s.Write(piece)
		}
		if len(s.word) > maxID+1 {
			t.Fatalf("%d bytes are kept", len(s.word))
		}
		m, err := peek([]byte(line))
		if err != nil || m.kind == batch || strings.Contains(line, "\\u") || len(m.id) > maxID {
			return
		}
		if m.id != nil && (m.id[0] == '{' || m.id[0] == '[') {
			return
		}
		if s.kind() != m.kind || string(s.id) != string(m.id) {
			t.Fatalf("%s, kind %d is skimmed of %s", s.id, s.kind(), line)
		}
	})
}
