package streamable

import (
	"encoding/json"
	"sync"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
)

// serverRequests are the server's requests that the host has not answered yet, with the session that asked. Servers number
// them anew in each session, so that an answer given late must not reach another session, which has asked something else.
type serverRequests struct {
	mu   sync.Mutex
	byID map[string]serverRequest
}

type serverRequest struct {
	id        jsonrpc.ID
	in        session
	withdrawn bool // the host has been told that nobody waits
}

// note takes up what the server's message m asks in a session, and drops what it no longer wants to know.
func (s *serverRequests) note(m jsonrpc.Message, in session) {
	for _, part := range m.Batch {
		s.note(part, in)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case m.Kind == jsonrpc.Request:
		if s.byID == nil {
			s.byID = map[string]serverRequest{}
		}
		s.byID[m.ID.Key()] = serverRequest{id: m.ID, in: in}
	case m.Method == "notifications/cancelled":
		delete(s.byID, jsonrpc.ID(m.Params.Get("requestId")).Key())
	}
}

// take returns the session that the host's response to id belongs to; nil where the server is not known to have asked.
func (s *serverRequests) take(id jsonrpc.ID) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked, ok := s.byID[id.Key()]
	if !ok {
		return nil
	}
	delete(s.byID, id.Key())
	return &asked.in
}

// withdraw tells the host that nobody waits any more for what was asked in a session before the one with this count. An
// answer may be on its way all the same.
func (s *serverRequests) withdraw(count int, host *jsonrpc.Writer) {
	var ids []jsonrpc.ID
	s.mu.Lock()
	for name, asked := range s.byID {
		if asked.in.count < count && !asked.withdrawn {
			asked.withdrawn = true
			s.byID[name] = asked
			ids = append(ids, asked.id)
		}
	}
	s.mu.Unlock()
	for _, id := range ids {
		host.Send(jsonrpc.NewNotification("notifications/cancelled", struct {
			ID     json.RawMessage `json:"requestId"`
			Reason string          `json:"reason"`
		}{json.RawMessage(id), "the server has lost the session that asked"}))
	}
}
