// Package jsonrpc reads and writes JSON-RPC 2.0 messages, one on each line, and passes on their text as it is. What a
// method means, and where a message goes, is left to its callers.
package jsonrpc

import "errors"

// Kind is what a message is.
type Kind int

// The kinds of messages. Only MCP 2025-03-26 has batches: several messages in an array.
const (
	Notification Kind = iota
	Request
	Response
	Batch
)

// ID is an identifier as it was written; nil where there is none.
type ID []byte

// Key makes an identifier comparable: numbers by their text, strings by what they mean, because "a" and "\u0061" are
// one string.
func (id ID) Key() string {
	if s, ok := Text(id); ok {
		return `"` + s
	}
	return string(id)
}

// Message is one message: its text and its envelope, whose parts share the memory of Raw. Raw is never rebuilt from them.
type Message struct {
	Raw    []byte
	Kind   Kind
	ID     ID
	Method string
	Params Object
	Result []byte // of a response; nil where it has none
	Error  []byte // of a response; nil where it has none
	Batch  []Message
}

// What Parse refuses.
var (
	ErrNotJSON    = errors.New("it is not JSON")
	ErrNotMessage = errors.New("it is not a JSON-RPC message")
)

// Parse reads one line or body, each byte of it once. It takes line breaks out of raw, in place. Beside ErrNotMessage
// stands what was found all the same.
func Parse(raw []byte) (Message, error) {
	raw, ok := oneLine(raw)
	if !ok {
		return Message{}, ErrNotJSON
	}
	m, s := Message{Raw: raw}, scan(raw)
	if len(raw) > 0 && raw[0] == '[' {
		return m, m.readBatch(s)
	}
	return m, m.readEnvelope(s)
}

func (m *Message) readBatch(s scanner) error {
	m.Kind = Batch
	if err := s.end(s.SkipValue()); err != nil {
		return err
	}
	for _, raw := range Elements(m.Raw) {
		part := Message{Raw: raw}
		if err := part.readEnvelope(scan(raw)); err != nil {
			return err
		}
		m.Batch = append(m.Batch, part)
	}
	if len(m.Batch) == 0 {
		return ErrNotMessage
	}
	return nil
}

func (m *Message) readEnvelope(s scanner) error {
	named := false
	err := s.end(s.object(func(name string) error {
		var err error
		var value []byte
		switch name {
		case "params":
			m.Params, err = s.members()
			return err
		case "id":
			m.ID, err = s.value()
		case "method":
			value, err = s.value()
			m.Method, named = Text(value)
		case "result":
			m.Result, err = s.value()
		case "error":
			m.Error, err = s.value()
		default:
			err = s.SkipValue()
		}
		return err
	}))
	switch {
	case err != nil:
		return err
	case named && m.ID != nil:
		m.Kind = Request
	case named:
		m.Kind = Notification
	case m.Result != nil || m.Error != nil:
		m.Kind = Response
	default:
		return ErrNotMessage
	}
	return nil
}

// Requests are the identifiers that the sender of m expects answers for.
func (m *Message) Requests() []ID {
	var ids []ID
	if m.Kind == Request {
		ids = append(ids, m.ID)
	}
	for i := range m.Batch {
		ids = append(ids, m.Batch[i].Requests()...)
	}
	return ids
}

// Responses are the answers in m: itself, or those of its batch.
func (m *Message) Responses() []Message {
	if m.Kind == Response {
		return []Message{*m}
	}
	var out []Message
	for i := range m.Batch {
		out = append(out, m.Batch[i].Responses()...)
	}
	return out
}
