package cache

import (
	"encoding/binary"
	"errors"
	"time"
)

// A pointer and a token are stored as a list of fields, each with its length in front. encoding/json would do, but what
// it learns about a type in its first call costs a warm get more than both of its files (measured: 0.1 ms of 1.5).

var errFields = errors.New("not a list of fields")

func packFields(fields ...string) []byte {
	var out []byte
	for _, f := range fields {
		out = append(binary.AppendUvarint(out, uint64(len(f))), f...)
	}
	return out
}

// unpackFields returns at least least fields, or errFields.
func unpackFields(data []byte, least int) ([]string, error) {
	var out []string
	for len(data) > 0 {
		size, n := binary.Uvarint(data)
		if n <= 0 || size > uint64(len(data)-n) {
			return nil, errFields
		}
		data = data[n:]
		out = append(out, string(data[:size]))
		data = data[size:]
	}
	if len(out) < least {
		return nil, errFields
	}
	return out, nil
}

// timeField is a time as a field, empty for the zero time.
func timeField(t time.Time) (string, error) {
	if t.IsZero() {
		return "", nil
	}
	data, err := t.UTC().MarshalBinary()
	return string(data), err
}

func fieldTime(f string) (time.Time, error) {
	var t time.Time
	if f == "" {
		return t, nil
	}
	err := t.UnmarshalBinary([]byte(f))
	return t.UTC(), err
}
