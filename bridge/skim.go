package bridge

import "bytes"

// skim reads a message that is too large to keep for the two things that an answer to it needs: its identifier, wherever
// it stands, and its kind. It keeps a few bytes of what passes through.
type skim struct {
	depth   int
	quoted  bool   // inside a string
	escaped bool   // behind a backslash in one
	word    []byte // the present name or value of the outer object, as written
	name    string // of the member whose value is read
	id      []byte // nil where there is none, or one that is too long
	owned   bool   // there is one
	method  bool
	answers bool
}

// maxID bounds an identifier, in bytes.
const maxID = 200

func (s *skim) Write(p []byte) (int, error) {
	for _, c := range p {
		s.read(c)
	}
	return len(p), nil
}

func (s *skim) read(c byte) {
	switch {
	case s.quoted:
		s.keep(c)
		s.quoted = c != '"' || s.escaped
		s.escaped = c == '\\' && !s.escaped
		return
	case c == '"':
		s.quoted = true
	case c == '{' || c == '[':
		if s.depth++; s.depth == 1 {
			return
		}
	case c == '}' || c == ']':
		if s.depth--; s.depth == 0 {
			s.end()
			return
		}
	case s.depth == 1 && c == ':':
		s.name, s.word = string(s.word), nil
		return
	case s.depth == 1 && c == ',':
		s.end()
		return
	case bytes.IndexByte([]byte(space), c) >= 0:
		return
	}
	s.keep(c)
}

// keep adds a byte of the outer object to the present word, up to the size of an identifier that would be too long.
func (s *skim) keep(c byte) {
	if s.depth == 1 && len(s.word) <= maxID {
		s.word = append(s.word, c)
	}
}

// end takes up a member of the outer object.
func (s *skim) end() {
	switch s.name {
	case `"id"`:
		s.owned = true
		if id, ok := tidy(s.word); ok && len(id) <= maxID {
			s.id = bytes.Clone(id)
		}
	case `"method"`:
		s.method = true
	case `"result"`, `"error"`:
		s.answers = true
	}
	s.name, s.word = "", nil
}

// kind is what the message is. What is none counts as a request: whoever sent it waits as well.
func (s *skim) kind() kind {
	switch {
	case s.method && !s.owned:
		return notification
	case s.answers && !s.method:
		return response
	}
	return request
}
