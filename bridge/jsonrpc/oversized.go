package jsonrpc

import "bytes"

// Oversized is what is left of a message that is too large to keep: the two things that an answer to it needs. It reads
// the message byte by byte, so that it needs none of its memory: a JSON reader keeps a string, which may be all of it, whole.
type Oversized struct {
	ID ID // nil where there is none, or one that is too long

	depth    int
	quoted   bool   // inside a string
	escaped  bool   // behind a backslash in one
	token    []byte // the present name or value of the outer object, as written
	name     string // of the member whose value is read
	hasID    bool
	isCall   bool // it has a method
	isAnswer bool // it has a result or an error
}

// maxID bounds an identifier, in bytes.
const maxID = 200

// Write reads on.
func (o *Oversized) Write(p []byte) (int, error) {
	for _, c := range p {
		o.read(c)
	}
	return len(p), nil
}

func (o *Oversized) read(c byte) {
	switch {
	case o.quoted:
		o.keep(c)
		o.quoted = c != '"' || o.escaped
		o.escaped = c == '\\' && !o.escaped
		return
	case c == '"':
		o.quoted = true
	case c == '{' || c == '[':
		if o.depth++; o.depth == 1 {
			return
		}
	case c == '}' || c == ']':
		if o.depth--; o.depth == 0 {
			o.endMember()
			return
		}
	case o.depth == 1 && c == ':':
		o.name, o.token = string(o.token), nil
		return
	case o.depth == 1 && c == ',':
		o.endMember()
		return
	case bytes.IndexByte([]byte(space), c) >= 0:
		return
	}
	o.keep(c)
}

// keep adds a byte of the outer object to the present token, up to the size of an identifier that would be too long.
func (o *Oversized) keep(c byte) {
	if o.depth == 1 && len(o.token) <= maxID {
		o.token = append(o.token, c)
	}
}

func (o *Oversized) endMember() {
	switch o.name {
	case `"id"`:
		o.hasID = true
		if len(o.token) <= maxID && valid(o.token) {
			o.ID = bytes.ToValidUTF8(o.token, []byte("\ufffd")) // as Parse repairs it
		}
	case `"method"`:
		o.isCall = true
	case `"result"`, `"error"`:
		o.isAnswer = true
	}
	o.name, o.token = "", nil
}

// Kind is what the message is. What is none counts as a request: whoever sent it waits as well.
func (o *Oversized) Kind() Kind {
	switch {
	case o.isCall && !o.hasID:
		return Notification
	case o.isAnswer && !o.isCall:
		return Response
	}
	return Request
}
