package bridge

import "sync"

// questions are the server's requests that the host has not answered yet, with the session that asked. Servers number
// them anew in each session, so that an answer given late must not reach another session, which has asked something else.
type questions struct {
	mu   sync.Mutex
	open map[string]question
}

type question struct {
	id   []byte
	in   view
	void bool // the host has been told that nobody waits
}

// note takes up what the server's message m asks in a session, and drops what it no longer wants to know.
func (q *questions) note(m message, in view) {
	for _, part := range m.parts {
		q.note(part, in)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case m.kind == request:
		if q.open == nil {
			q.open = map[string]question{}
		}
		q.open[key(m.id)] = question{id: m.id, in: in}
	case m.method == "notifications/cancelled":
		delete(q.open, key(dig(m.params, "requestId")))
	}
}

// take returns the session that the host's response m belongs to; nil where the server is not known to have asked.
func (q *questions) take(m *message) *view {
	q.mu.Lock()
	defer q.mu.Unlock()
	asked, ok := q.open[key(m.id)]
	if !ok {
		return nil
	}
	delete(q.open, key(m.id))
	return &asked.in
}

// withdraw tells the host that nobody waits any more for what was asked in a session before the one with this count. An
// answer may be on its way all the same.
func (q *questions) withdraw(count int, h *host) {
	var void [][]byte
	q.mu.Lock()
	for name, asked := range q.open {
		if asked.in.count < count && !asked.void {
			asked.void = true
			q.open[name] = asked
			void = append(void, asked.id)
		}
	}
	q.mu.Unlock()
	for _, id := range void {
		h.send([]byte(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":` + string(id) +
			`,"reason":"the server has lost the session in which it asked"}}`))
	}
}
