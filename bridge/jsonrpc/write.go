package jsonrpc

import (
	"bytes"
	"encoding/json"
)

// The error codes of JSON-RPC 2.0, section 5.1, that somebody between two peers has a use for.
const (
	ParseError     = -32700
	InvalidRequest = -32600
	InvalidParams  = -32602
)

// envelope is a message of our own. Its members are written in this order.
type envelope struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  any             `json:"params,omitempty"`
	Result  any             `json:"result,omitempty"`
	Error   any             `json:"error,omitempty"`
}

func (e envelope) encode() []byte {
	e.Version = "2.0"
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false) // an identifier stays as its sender wrote it
	_ = enc.Encode(e)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// NewNotification writes a notification. params are of a type that always has an encoding.
func NewNotification(method string, params any) []byte {
	return envelope{Method: method, Params: params}.encode()
}

// NewRequest writes a request. params are of a type that always has an encoding.
func NewRequest(id, method string, params any) []byte {
	return envelope{ID: json.RawMessage(NewID(id)), Method: method, Params: params}.encode()
}

// NewResult writes a response. result is of a type that always has an encoding.
func NewResult(id ID, result any) []byte {
	return envelope{ID: json.RawMessage(id), Result: result}.encode()
}

// NewID is an identifier that is a string.
func NewID(text string) ID {
	out, _ := json.Marshal(text) // a string always has an encoding
	return out
}

// NewError writes an error response; a nil id becomes null. data is of a type that always has an encoding, or nil.
func NewError(id ID, code int, message string, data any) []byte {
	if id == nil {
		id = ID("null")
	}
	return envelope{ID: json.RawMessage(id), Error: struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Data    any    `json:"data,omitempty"`
	}{code, message, data}}.encode()
}
