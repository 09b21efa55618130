package bridge

import (
	"encoding/json"
	"sync"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
)

// subscriptions are the subscriptions/listen requests under way, on which a host of MCP 2026-07-28 hears of changes.
type subscriptions struct {
	mu  sync.Mutex
	ids map[string]jsonrpc.ID
}

func (s *subscriptions) add(id jsonrpc.ID) (remove func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ids == nil {
		s.ids = map[string]jsonrpc.ID{}
	}
	s.ids[id.Key()] = id
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.ids, id.Key())
	}
}

func (s *subscriptions) all() (out []jsonrpc.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range s.ids {
		out = append(out, id)
	}
	return out
}

// subscribed is the params of a notification on a subscription; filter is what an acknowledgement repeats.
func subscribed(id jsonrpc.ID, filter []byte) map[string]any {
	params := map[string]any{"_meta": map[string]json.RawMessage{"io.modelcontextprotocol/subscriptionId": json.RawMessage(id)}}
	if filter != nil {
		params["notifications"] = json.RawMessage(filter)
	}
	return params
}
