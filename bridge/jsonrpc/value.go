package jsonrpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// This file looks into JSON without changing it: encoding/json would round large numbers, fold the case of names and
// copy what is only passed on. What it returns are parts of what it was given.

// space is JSON's insignificant whitespace (RFC 8259 section 2).
const space = " \t\r\n"

// lenient accepts what encoding/json accepts: peers that do not mind get their text.
var lenient = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

func valid(data []byte) bool { return jsontext.Value(data).IsValid(lenient...) }

// oneLine takes the space around one JSON text off, and the line breaks out of it, in place: in valid JSON they can only
// stand between tokens, because strings escape them. Every other byte stays, but for those that are not UTF-8, which RFC 8259
// section 8.1 wants and without which some readers end: U+FFFD takes their place. It reports false for what it sees is not JSON.
func oneLine(data []byte) ([]byte, bool) {
	data = bytes.Trim(bytes.TrimPrefix(data, []byte("\ufeff")), space)
	if !utf8.Valid(data) {
		data = bytes.ToValidUTF8(data, []byte("\ufffd"))
	}
	if bytes.IndexByte(data, '\n') < 0 && bytes.IndexByte(data, '\r') < 0 {
		return data, true
	}
	if !valid(data) {
		return nil, false
	}
	return slices.DeleteFunc(data, func(c byte) bool { return c == '\n' || c == '\r' }), true
}

// scanner reads the JSON text raw.
type scanner struct {
	*jsontext.Decoder
	raw []byte
}

func scan(raw []byte) scanner {
	return scanner{jsontext.NewDecoder(bytes.NewBuffer(raw), lenient...), raw}
}

// end is nil where reading has brought no error and nothing follows, else ErrNotJSON.
func (s scanner) end(err error) error {
	if err == nil {
		if _, err = s.ReadToken(); errors.Is(err, io.EOF) {
			return nil
		}
	}
	return ErrNotJSON
}

// value reads the next value as a part of raw.
func (s scanner) value() ([]byte, error) {
	v, err := s.ReadValue()
	end := int(s.InputOffset())
	return s.raw[end-len(v) : end], err
}

// object reads an object; each reads the value of one member. Any other value is read over.
func (s scanner) object(each func(name string) error) error {
	if s.PeekKind() != '{' {
		return s.SkipValue()
	}
	_, err := s.ReadToken()
	for err == nil && s.PeekKind() != '}' {
		var name jsontext.Token
		if name, err = s.ReadToken(); err == nil {
			err = each(name.String())
		}
	}
	if err == nil {
		_, err = s.ReadToken()
	}
	return err
}

func (s scanner) members() (o Object, err error) {
	err = s.object(func(name string) error {
		value, err := s.value()
		o = append(o, Member{name, value})
		return err
	})
	return o, err
}

// Object is the members of a JSON object, in order.
type Object []Member

// Member is a name and its value.
type Member struct {
	Name  string
	Value []byte
}

// Members reads the object in data, which is valid JSON; any other value has none.
func Members(data []byte) Object {
	o, err := scan(data).members()
	if err != nil {
		return nil
	}
	return o
}

// Get returns the value at the end of a path through nested objects, nil where there is none. Of a name that occurs twice
// the last counts, as with most readers.
func (o Object) Get(path ...string) []byte {
	for _, m := range slices.Backward(o) {
		if m.Name == path[0] {
			return Get(m.Value, path[1:]...)
		}
	}
	return nil
}

// Text is Get for a string; "" for anything else.
func (o Object) Text(path ...string) string {
	s, _ := Text(o.Get(path...))
	return s
}

// Get is Members and Object.Get.
func Get(data []byte, path ...string) []byte {
	if len(path) == 0 || data == nil {
		return data
	}
	return Members(data).Get(path...)
}

// Elements returns the elements of the array in data, which is valid JSON; any other value has none.
func Elements(data []byte) (out [][]byte) {
	s := scan(data)
	if s.PeekKind() != '[' {
		return nil
	}
	_, err := s.ReadToken()
	for err == nil && s.PeekKind() != ']' {
		var value []byte
		if value, err = s.value(); err == nil {
			out = append(out, value)
		}
	}
	return out
}

// Text decodes a JSON string; false for any other value.
func Text(value []byte) (string, bool) {
	if len(value) < 2 || value[0] != '"' {
		return "", false
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : len(value)-1]), true
	}
	var s string
	err := json.Unmarshal(value, &s)
	return s, err == nil
}

// Replace returns a copy of raw in which part, a part of it, is replaced by another text.
func Replace(raw, part, by []byte) []byte {
	at := cap(raw) - cap(part) // both reach to the end of the same memory
	return slices.Concat(raw[:at], by, raw[at+len(part):])
}
