// Package standin answers a host in the server's place, from what the server said last, while that cannot be reached or
// nobody has signed in; until somebody has, it lists a tool of ours that signs in. It keeps account of what the host has been
// told, so that it can be told what has changed. When it answers, what the tool does, and where memory is kept, is left
// to its callers.
package standin

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"sync"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
)

// The revisions of MCP that begin with initialize, the newest first.
var handshakes = []string{"2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"}

// The results of a stateless revision (MCP 2026-07-28) say that they are whole and how long they hold.
const (
	resultComplete = "complete"
	scopePrivate   = "private"
)

// StandIn is that of one host and server. Any goroutine may call it.
type StandIn struct {
	name     string // of the server, for people
	toolName string

	mu       sync.Mutex
	known    knowledge
	has      jsonrpc.Object // the capabilities of the server, once it has said them in this run
	promised jsonrpc.Object // those that the host was promised in its place; nil: the server has spoken for itself
	away     bool           // the host was answered in place of the server, which has not been reached since
	signIn   bool           // somebody has to sign in: the tool is listed
	shown    bool           // the tool has been: its name is ours as long as this host runs
	told     map[string][sha256.Size]byte
}

// New returns a StandIn for a server with that name.
func New(name string) *StandIn {
	tool := toolName(name)
	return &StandIn{name: name, toolName: tool, known: newKnowledge(tool), told: map[string][sha256.Size]byte{}}
}

// Recall takes up what an earlier run has kept.
func (s *StandIn) Recall(kept []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known.kept = decodeMemory(kept)
}

// Update returns what is to be kept of the server: what was learned in this run, and else what was kept before.
func (s *StandIn) Update(old []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known.seen.over(decodeMemory(old)).encode()
}

// Learn takes from the response to a request, the host's or one of ours, what the server says of itself, and reports whether
// there is something new to keep. result is nil where the response is an error.
func (s *StandIn) Learn(request *jsonrpc.Message, result []byte, ours bool) (news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	news, whole := s.known.learn(request, result, ours)
	switch {
	case whole != nil && !ours:
		s.told[request.Method] = fingerprint(whole)
	case news && whole == nil && result != nil:
		s.has = capabilitiesOf(bytes.Clone(result))
	}
	return news
}

// Initialize answers a host's initialize in place of the server: as the server did last, else with the least there is. why
// is a sentence about what is wrong, for a host that knows nothing else of the server.
func (s *StandIn) Initialize(m *jsonrpc.Message, why string) (line []byte, revision string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := m.Params.Text("protocolVersion")
	result := s.known.initialize(asked)
	revision, ok := jsonrpc.Text(result["protocolVersion"])
	if !ok {
		if revision = asked; !slices.Contains(handshakes, asked) {
			revision = handshakes[0]
		}
		result = map[string]json.RawMessage{
			"protocolVersion": encode(revision), "serverInfo": serverInfo(s.name), "instructions": encode(why),
		}
	}
	s.promised, s.away = complete(result), true
	return jsonrpc.NewResult(m.ID, result), revision
}

// Discover answers server/discover in place of the server. Where that is not known to speak a stateless revision, the host
// is offered those with a handshake, which all servers speak and all hosts fall back to.
func (s *StandIn) Discover(m *jsonrpc.Message, why string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	result := object(s.known.all().Discover)
	if result == nil {
		result = map[string]json.RawMessage{
			"resultType": encode(resultComplete), "supportedVersions": encode(handshakes), "instructions": encode(why),
			"_meta": encode(map[string]json.RawMessage{"io.modelcontextprotocol/serverInfo": serverInfo(s.name)}),
		}
	}
	result["ttlMs"], result["cacheScope"] = json.RawMessage("0"), encode(scopePrivate)
	s.promised, s.away = complete(result), true
	return jsonrpc.NewResult(m.ID, result)
}

// Begin notes that a host begins: it has been told nothing.
func (s *StandIn) Begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.promised, s.away, s.told = nil, false, map[string][sha256.Size]byte{}
}

// Arrived notes that the server is there. Lists that it does not have are empty from now on.
func (s *StandIn) Arrived() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = false
	for _, l := range lists {
		if s.lacks(l.capability) {
			s.known.seen.Lists[l.method] = []json.RawMessage{}
		}
	}
}

// Away reports whether the host was answered in place of the server, which has not been reached since.
func (s *StandIn) Away() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.away
}

// NeedSignIn notes whether somebody has to sign in, and reports whether that is news.
func (s *StandIn) NeedSignIn(need bool) (news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	news = s.signIn != need
	s.signIn = need
	return news
}

// Answer answers a request in place of the server, or returns nil where the server has to be asked. stateless: the request
// is of a revision without sessions.
func (s *StandIn) Answer(m *jsonrpc.Message, stateless bool) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, isList := listOf(m.Method)
	switch {
	case isList && (s.away || s.signIn && (l == tools || s.known.seen.Lists[l.method] != nil)): // else only a person can help with the list
		return s.answerList(m, l, stateless)
	case isList && s.lacks(l.capability):
		return jsonrpc.NewResult(m.ID, result(stateless, map[string]any{l.member: []string{}}))
	case m.Method == "ping" && s.away, m.Method == "logging/setLevel" && (s.away || s.lacks("logging")):
		return jsonrpc.NewResult(m.ID, result(stateless, map[string]any{}))
	}
	return nil
}

// Fallback answers a list that the server could not be asked for, as it was last; nil where that is not known.
func (s *StandIn) Fallback(m *jsonrpc.Message, stateless bool) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, isList := listOf(m.Method)
	if _, known := s.known.all().Lists[m.Method]; !isList || !known {
		return nil
	}
	return s.answerList(m, l, stateless)
}

func (s *StandIn) answerList(m *jsonrpc.Message, l list, stateless bool) []byte {
	if cursor := m.Params.Text("cursor"); cursor != "" {
		return jsonrpc.NewError(m.ID, jsonrpc.InvalidParams, "the list is another one by now; ask for it from its beginning", nil)
	}
	items := s.items(l)
	if items == nil {
		items = []json.RawMessage{}
	}
	s.told[l.method] = fingerprint(items)
	s.shown = s.shown || l == tools && s.signIn
	return jsonrpc.NewResult(m.ID, result(stateless, map[string]any{l.member: items}))
}

// result adds what a result of a stateless revision says of itself.
func result(stateless bool, members map[string]any) map[string]any {
	if stateless {
		members["resultType"], members["ttlMs"], members["cacheScope"] = resultComplete, 0, scopePrivate
	}
	return members
}

// complete completes the capabilities in a result, and returns them: what is listed now may be otherwise later, and our tool
// is a tool.
func complete(result map[string]json.RawMessage) jsonrpc.Object {
	var capabilities map[string]map[string]json.RawMessage
	if json.Unmarshal(result["capabilities"], &capabilities) != nil || capabilities == nil {
		capabilities = map[string]map[string]json.RawMessage{"prompts": nil, "resources": nil}
	}
	for _, l := range lists {
		options, has := capabilities[l.capability]
		if !has && l != tools {
			continue
		}
		if options == nil {
			options = map[string]json.RawMessage{}
		}
		options["listChanged"] = json.RawMessage("true")
		capabilities[l.capability] = options
	}
	result["capabilities"] = encode(capabilities)
	return jsonrpc.Members(result["capabilities"])
}

// serverInfo is what a server is called that has not said so itself.
func serverInfo(name string) json.RawMessage {
	return encode(map[string]string{"name": name, "version": "unknown"})
}

// encode writes a value that always has an encoding.
func encode(v any) json.RawMessage {
	out, _ := json.Marshal(v)
	return out
}
