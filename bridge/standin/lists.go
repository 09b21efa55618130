package standin

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"slices"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
)

// list is one of the lists that a server has.
type list struct {
	method     string
	member     string // of the result, that holds the items
	capability string // that a server with such a list declares
	changed    string // the notification that it has changed
}

var (
	tools = list{"tools/list", "tools", "tools", "notifications/tools/list_changed"}
	lists = []list{
		tools,
		{"prompts/list", "prompts", "prompts", "notifications/prompts/list_changed"},
		{"resources/list", "resources", "resources", "notifications/resources/list_changed"},
		{"resources/templates/list", "resourceTemplates", "resources", "notifications/resources/list_changed"},
	}
)

func listOf(method string) (list, bool) {
	i := slices.IndexFunc(lists, func(l list) bool { return l.method == method })
	if i < 0 {
		return list{}, false
	}
	return lists[i], true
}

// IsList reports whether a method asks for a list.
func IsList(method string) bool {
	_, ok := listOf(method)
	return ok
}

// items are what the host is told of a list now. The caller holds mu.
func (s *StandIn) items(l list) []json.RawMessage {
	known := s.known.all().Lists[l.method]
	if l == tools && s.signIn {
		known = append([]json.RawMessage{ourTool(s.toolName, s.name)}, known...)
	}
	return known
}

// fingerprint tells one list from another.
func fingerprint(items []json.RawMessage) [sha256.Size]byte {
	sum := sha256.New()
	for _, one := range items {
		sum.Write(one)
		sum.Write([]byte{'\n'})
	}
	return [sha256.Size]byte(sum.Sum(nil))
}

// Told returns the methods of the lists that the host has been told.
func (s *StandIn) Told() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, l := range lists {
		if _, ok := s.told[l.method]; ok {
			out = append(out, l.method)
		}
	}
	return out
}

// Changed returns the notifications about the lists that are not as the host was told last, each once.
func (s *StandIn) Changed() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, l := range lists {
		if told, ok := s.told[l.method]; ok && told != fingerprint(s.items(l)) && !slices.Contains(out, l.changed) {
			out = append(out, l.changed)
		}
	}
	return out
}

// Lacks reports whether the server that is there now has no list that the host was promised.
func (s *StandIn) Lacks(method string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := listOf(method)
	return ok && s.lacks(l.capability)
}

// lacks reports whether the host was promised a capability that the server does not declare. The caller holds mu.
func (s *StandIn) lacks(capability string) bool {
	return !s.away && s.promised.Get(capability) != nil && s.has.Get(capability) == nil
}

// Screen takes a tool of the server that has the name of our own out of a tools/list response, once ours was shown.
func (s *StandIn) Screen(request *jsonrpc.Message, raw []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if request.Method != tools.method || !s.shown {
		return raw
	}
	all := jsonrpc.Get(raw, "result", tools.member)
	every := jsonrpc.Elements(all)
	kept := slices.DeleteFunc(slices.Clone(every), func(tool []byte) bool { return !s.known.isServers(tool) })
	if len(kept) == len(every) {
		return raw
	}
	return jsonrpc.Replace(raw, all, slices.Concat([]byte("["), bytes.Join(kept, []byte(",")), []byte("]")))
}
