package bridge

import "errors"

// kind is what a JSON-RPC message is.
type kind int

const (
	notification kind = iota
	request
	response
	batch // several of them in an array (MCP 2025-03-26 only)
)

// message is one JSON-RPC message: its text, and the envelope that was peeked at. The text is never rebuilt.
type message struct {
	raw    []byte
	kind   kind
	id     []byte // as written; nil where there is none
	method string
	params []byte
	result []byte // of a response; nil where it has none
	fail   []byte // its error; nil where it has none
	parts  []message

	version string // the revision that a stateless request names for itself (MCP 2026-07-28); "" in older ones
}

var (
	errNotJSON    = errors.New("it is not JSON")
	errNotMessage = errors.New("it is not a JSON-RPC message")
)

// peek reads the envelope of one line or body. It takes the line breaks out of raw, in place.
func peek(raw []byte) (message, error) {
	raw, ok := tidy(raw)
	if !ok {
		return message{}, errNotJSON
	}
	if raw[0] != '[' {
		return envelope(raw)
	}
	m := message{raw: raw, kind: batch}
	for value := range elements(raw) {
		part, err := envelope(value)
		if err != nil {
			return m, err
		}
		m.parts = append(m.parts, part)
	}
	if len(m.parts) == 0 {
		return m, errNotMessage
	}
	return m, nil
}

func envelope(raw []byte) (message, error) {
	m := message{raw: raw}
	named := false
	for key, value := range members(raw) {
		switch key {
		case "id":
			m.id = value
		case "method":
			m.method, named = text(value)
		case "params":
			m.params = value
			m.version = digText(value, "_meta", metaVersion)
		case "result":
			m.result = value
		case "error":
			m.fail = value
		}
	}
	switch {
	case named && m.id != nil:
		m.kind = request
	case named:
		m.kind = notification
	case m.result != nil || m.fail != nil:
		m.kind = response
	default:
		return m, errNotMessage
	}
	return m, nil
}

// requests are the identifiers that the sender of m expects answers for.
func (m message) requests() [][]byte {
	var ids [][]byte
	if m.kind == request {
		ids = append(ids, m.id)
	}
	for _, part := range m.parts {
		ids = append(ids, part.requests()...)
	}
	return ids
}

// responses are the answers in m: itself, or those of its parts.
func (m message) responses() []message {
	if m.kind == response {
		return []message{m}
	}
	var out []message
	for _, part := range m.parts {
		out = append(out, part.responses()...)
	}
	return out
}

// key makes an identifier comparable: numbers by their text, strings by what they mean, because "a" and "\u0061" are
// one string.
func key(id []byte) string {
	if s, ok := text(id); ok {
		return `"` + s
	}
	return string(id)
}
