package bridge

import (
	"bytes"
	"encoding/json"
	"strings"
)

// This file looks into JSON without changing it: encoding/json would round large numbers, fold the case of names and
// copy what is only passed on. Everything here expects text that tidy has accepted.

// space is JSON's insignificant whitespace (RFC 8259 section 2).
const space = " \t\r\n"

// tidy checks that data is one JSON text and takes the line breaks out, in place: in valid JSON they can only stand
// between tokens, because strings escape them. Every other byte stays.
func tidy(data []byte) ([]byte, bool) {
	data = bytes.Trim(bytes.TrimPrefix(data, []byte("\ufeff")), space)
	if !json.Valid(data) {
		return nil, false
	}
	first := bytes.IndexAny(data, "\r\n")
	if first < 0 {
		return data, true
	}
	kept := data[:first]
	for _, c := range data[first:] {
		if c != '\n' && c != '\r' {
			kept = append(kept, c)
		}
	}
	return kept, true
}

// members yields the members of the object in data, in order; anything else has none. Values are parts of data.
func members(data []byte) func(yield func(key string, value []byte) bool) {
	return func(yield func(string, []byte) bool) {
		if len(data) == 0 || data[0] != '{' {
			return
		}
		for i := skipSpace(data, 1); data[i] == '"'; {
			end := skipValue(data, i)
			key, _ := text(data[i:end])
			from := skipSpace(data, skipSpace(data, end)+1) // over the colon
			to := skipValue(data, from)
			if !yield(key, data[from:to]) {
				return
			}
			if i = skipSpace(data, to); data[i] != ',' {
				return
			}
			i = skipSpace(data, i+1)
		}
	}
}

// elements yields the elements of the array in data, in order; anything else has none.
func elements(data []byte) func(yield func(value []byte) bool) {
	return func(yield func([]byte) bool) {
		if len(data) == 0 || data[0] != '[' {
			return
		}
		for i := skipSpace(data, 1); data[i] != ']'; {
			to := skipValue(data, i)
			if !yield(data[i:to]) {
				return
			}
			if i = skipSpace(data, to); data[i] == ',' {
				i = skipSpace(data, i+1)
			}
		}
	}
}

// dig follows path through nested objects and returns the value at its end, nil where there is none. Of a name that
// occurs twice the last counts, as with most readers.
func dig(data []byte, path ...string) []byte {
	for _, name := range path {
		var found []byte
		for key, value := range members(data) {
			if key == name {
				found = value
			}
		}
		data = found
	}
	return data
}

// text decodes a JSON string; false for any other value.
func text(value []byte) (string, bool) {
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

// digText is dig for a string; "" for anything else.
func digText(data []byte, path ...string) string {
	s, _ := text(dig(data, path...))
	return s
}

// quote encodes a string.
func quote(s string) string {
	out, err := json.Marshal(s)
	if err != nil {
		return `""` // a string always has an encoding
	}
	return string(out)
}

func skipSpace(data []byte, i int) int {
	for i < len(data) && strings.IndexByte(space, data[i]) >= 0 {
		i++
	}
	return i
}

// skipValue returns the index behind the value that begins at i.
func skipValue(data []byte, i int) int {
	switch data[i] {
	case '"':
		return skipString(data, i)
	case '{', '[':
		return skipNested(data, i)
	}
	for i < len(data) && strings.IndexByte(space+",]}", data[i]) < 0 {
		i++
	}
	return i
}

func skipString(data []byte, i int) int {
	for i++; ; i++ {
		i += bytes.IndexByte(data[i:], '"')
		slashes := 0
		for data[i-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return i + 1
		}
	}
}

func skipNested(data []byte, i int) int {
	for depth := 0; ; i++ {
		switch data[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		case '"':
			i = skipString(data, i) - 1
		}
	}
}
