package jsonrpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"unicode/utf8"
)

// What a message is, is read from its envelope alone, whatever is in it.
func TestParse(t *testing.T) {
	for line, want := range map[string]string{
		`{"jsonrpc":"2.0","id":1,"method":"a/b","params":{"x":{"y":"z"}}}`: `request 1 a/b {"y":"z"}`,
		`{"id":"\u0061","method":"\u0061","params":[{"x":1}]}`:             `request "\u0061" a `,
		`{"params":{"x":1,"x":2},"method":"m"}`:                            `notification  m 2`,
		`{"id":null,"error":{"method":"no"}}`:                              `response null  `,
		`{"result":false,"id":12345678901234567890}`:                       `response 12345678901234567890  `,
		`[{"id":1,"method":"a"},{"id":2,"result":{}},{"method":"c"}]`:      `batch [1] 1 answers`,
		`[{"id":1,"method":"a"},2]`:                                        ErrNotMessage.Error(),
		`[]`:                                                               ErrNotMessage.Error(),
		`{"id":1}`:                                                         ErrNotMessage.Error(),
		`{"id":1,"method":2}`:                                              ErrNotMessage.Error(),
		`"text"`:                                                           ErrNotMessage.Error(),
		``:                                                                 ErrNotJSON.Error(),
		`{"id":1,"method":"x"} {}`:                                         ErrNotJSON.Error(),
		`{"id":1,"method":"x"`:                                             ErrNotJSON.Error(),
		"{\"id\":1,\"method\":\"a\nb\"}":                                   ErrNotJSON.Error(),
	} {
		m, err := Parse([]byte(line))
		kinds := []string{"notification", "request", "response", "batch"}
		got := fmt.Sprintf("%s %s %s %s", kinds[m.Kind], m.ID, m.Method, m.Params.Get("x"))
		switch {
		case err != nil:
			got = err.Error()
		case m.Kind == Batch:
			got = fmt.Sprintf("batch %s %d answers", m.Requests(), len(m.Responses()))
		}
		if got != want {
			t.Errorf("%s is %s, want %s", line, got, want)
		}
	}
}

// An error response to a line that is no message bears the identifier that was found in it.
func TestIdentifierOfNoMessage(t *testing.T) {
	m, err := Parse([]byte(`{"id":7,"params":{}}`))
	if !errors.Is(err, ErrNotMessage) || string(m.ID) != "7" {
		t.Errorf("%s, %v", m.ID, err)
	}
}

// Of a message one value is replaced and every other byte stays.
func TestReplace(t *testing.T) {
	m, err := Parse([]byte(` {"id": 1e2, "result": {"a" : [1, {"b":2}]}} `))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(Replace(m.Raw, m.ID, []byte("100"))); got != `{"id": 100, "result": {"a" : [1, {"b":2}]}}` {
		t.Error(got)
	}
	second := Elements(Get(m.Result, "a"))[1]
	if got := string(Replace(m.Raw, second, []byte("{}"))); got != `{"id": 1e2, "result": {"a" : [1, {}]}}` {
		t.Error(got)
	}
}

// What is written is read back, and an identifier stays as it was.
func TestWrite(t *testing.T) {
	type params struct {
		URL string `json:"url"`
	}
	for got, want := range map[string]string{
		string(NewNotification("n", params{"https://a/?b&c"})):                      `{"jsonrpc":"2.0","method":"n","params":{"url":"https://a/?b&c"}}`,
		string(NewRequest("x<1", "r", params{`"`})):                                 `{"jsonrpc":"2.0","id":"x\u003c1","method":"r","params":{"url":"\""}}`,
		string(NewError(nil, ParseError, "no", nil)):                                `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"no"}}`,
		string(NewError(ID(`"<\u0061"`), InvalidRequest, "a\nb", map[string]int{})): `{"jsonrpc":"2.0","id":"<\u0061","error":{"code":-32600,"message":"a\nb","data":{}}}`,
	} {
		if _, err := Parse([]byte(got)); got != want || err != nil {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
	}
}

// A byte that is not UTF-8 ends hosts that decode strictly, so it does not reach them.
func TestParseRepairsUTF8(t *testing.T) {
	m, err := Parse([]byte("{\"id\":1,\"result\":{\"text\":\"a\xffb\xc3\"}}"))
	if want := "{\"id\":1,\"result\":{\"text\":\"a\ufffdb\ufffd\"}}"; err != nil || string(m.Raw) != want {
		t.Errorf("%q, error %v, want %q", m.Raw, err, want)
	}
}

// Parsing changes nothing but line breaks and what is not UTF-8, and reads the envelope as encoding/json does.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":[1,{"b":"}\""}]}}`, "{\n\"id\":\r\n9007199254740993,\"result\":null}", `[{"id":"a","method":"b"},{"method":"c"}]`,
		`{"id":null,"error":{"code":1}}`, `{"i\u0064":1e400,"method":"\ud800"}`, `{"id":{"a":1},"method":"x","id":2}`, "\ufeff{}", `[[]]`, `""`, `{"":"\\"}`, `{"a":"\\\""}`,
		`{"params":[],"params":{"a":1},"method":"m"}`, "{\"method\":\"\xff\"}", "{\"method\":\"a\nb\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Parse(bytes.Clone(data))
		text := bytes.Trim(bytes.TrimPrefix(data, []byte("\ufeff")), space)
		if json.Valid(text) == errors.Is(err, ErrNotJSON) {
			t.Fatalf("%q: %v", data, err)
		}
		if errors.Is(err, ErrNotJSON) {
			return
		}
		if !utf8.Valid(m.Raw) {
			t.Fatalf("%q is not UTF-8", m.Raw)
		}
		if bytes.ContainsAny(m.Raw, "\r\n") {
			t.Fatalf("%q has a line break", m.Raw)
		}
		var before, after any
		if json.Unmarshal(text, &before) == nil && json.Unmarshal(m.Raw, &after) != nil {
			t.Fatalf("%q became %q", data, m.Raw)
		}
		var object map[string]json.RawMessage
		if m.Kind != Batch && json.Unmarshal(m.Raw, &object) == nil {
			for name, got := range map[string][]byte{"id": m.ID, "result": m.Result, "error": m.Error} {
				if want := object[name]; !bytes.Equal(want, got) {
					t.Fatalf("%s of %q is %q, want %q", name, m.Raw, got, want)
				}
			}
			var params map[string]json.RawMessage
			_ = json.Unmarshal(object["params"], &params)
			for name, want := range params {
				if got := m.Params.Get(name); !bytes.Equal(want, got) {
					t.Fatalf("%s of %q is %q, want %q", name, m.Raw, got, want)
				}
			}
		}
		again, err2 := Parse(bytes.Clone(m.Raw))
		if (err == nil) != (err2 == nil) || !bytes.Equal(again.Raw, m.Raw) {
			t.Fatalf("%q became %q", m.Raw, again.Raw)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	line := []byte(`{"jsonrpc":"2.0","id":17,"method":"tools/call","params":{"name":"search","arguments":{"query":"hello","limit":10},"_meta":{"progressToken":1}}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(line); err != nil {
			b.Fatal(err)
		}
	}
}
