package standin

import (
	"bytes"
	"encoding/json"
	"maps"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
)

// MaxMemory bounds what is remembered of a server, in bytes of its encoding.
const MaxMemory = 4 << 20

// memory is what a server said last, as it said it.
type memory struct {
	Initialize map[string]json.RawMessage   `json:"initialize,omitempty"` // results, by the revision that the host asked for
	Discover   json.RawMessage              `json:"discover,omitempty"`   // the result of server/discover; null: the server does not know it
	Lists      map[string][]json.RawMessage `json:"lists,omitempty"`      // what each list has, by its method
}

func decodeMemory(data []byte) memory {
	var m memory
	if json.Unmarshal(data, &m) != nil {
		return memory{}
	}
	return m
}

// encode leaves the longest lists out until the rest is no longer than MaxMemory.
func (m memory) encode() []byte {
	m.Lists = maps.Clone(m.Lists)
	for {
		var out bytes.Buffer
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		if enc.Encode(m) == nil && out.Len() <= MaxMemory {
			return out.Bytes()
		}
		longest, most := "", -1
		for method, items := range m.Lists {
			if n := size(items); n > most {
				longest, most = method, n
			}
		}
		if most < 0 {
			return nil // an initialize result of that size is not worth remembering
		}
		delete(m.Lists, longest)
	}
}

func size(items []json.RawMessage) (n int) {
	for _, one := range items {
		n += len(one)
	}
	return n
}

// over returns m, and of old what m does not say.
func (m memory) over(old memory) memory {
	out := memory{Initialize: map[string]json.RawMessage{}, Discover: old.Discover, Lists: map[string][]json.RawMessage{}}
	for _, from := range []memory{old, m} {
		maps.Copy(out.Initialize, from.Initialize)
		maps.Copy(out.Lists, from.Lists)
	}
	if m.Discover != nil {
		out.Discover = m.Discover
	}
	return out
}

// knowledge is what is known of a server, from an earlier run and from this one.
type knowledge struct {
	kept, seen memory
	pages      map[string]pages // of lists that have not been seen to their end
	ours       string           // the name of the tool that is none of the server's
}

// pages is a list of which the server has sent some pages.
type pages struct {
	items []json.RawMessage
	next  string // the cursor of the next page, as JSON
}

func newKnowledge(ours string) knowledge {
	return knowledge{seen: memory{Initialize: map[string]json.RawMessage{}, Lists: map[string][]json.RawMessage{}}, pages: map[string]pages{}, ours: ours}
}

// all is what is known: what was seen in this run counts more.
func (k *knowledge) all() memory { return k.seen.over(k.kept) }

// learn takes up the result of a request, nil for an error. whole is a list that was seen to its end, all of it, also where it is
// too long to be remembered; ours: the host has not asked for it.
func (k *knowledge) learn(request *jsonrpc.Message, result []byte, ours bool) (news bool, whole []json.RawMessage) {
	l, isList := listOf(request.Method)
	switch {
	case request.Method == "server/discover" && result == nil:
		k.seen.Discover = json.RawMessage("null")
	case result == nil:
		return false, nil
	case request.Method == "server/discover":
		k.seen.Discover = bytes.Clone(result)
	case request.Method == "initialize":
		k.seen.Initialize[request.Params.Text("protocolVersion")] = bytes.Clone(result)
	case isList:
		whole = k.learnPage(l, request, result, ours)
		return whole != nil, whole
	default:
		return false, nil
	}
	return true, nil
}

// learnPage takes up one page of a list, and returns all of that with the last one.
func (k *knowledge) learnPage(l list, request *jsonrpc.Message, result []byte, ours bool) []json.RawMessage {
	who := l.method
	if ours {
		who += " of ours"
	}
	got, cursor := k.pages[who], string(request.Params.Get("cursor"))
	switch {
	case cursor == "" || cursor == "null":
		got = pages{items: []json.RawMessage{}}
	case cursor != got.next:
		return nil
	}
	members := jsonrpc.Members(result)
	for _, one := range jsonrpc.Elements(members.Get(l.member)) {
		if l != tools || k.isServers(one) {
			got.items = append(got.items, compact(one))
		}
	}
	if got.next = string(members.Get("nextCursor")); got.next != "" && got.next != "null" {
		k.pages[who] = got
		return nil
	}
	delete(k.pages, who)
	k.seen.Lists[l.method] = got.items
	if size(got.items) > MaxMemory {
		k.seen.Lists[l.method] = []json.RawMessage{}
	}
	return got.items
}

// compact is a copy without the space between tokens, as it is when it comes back from memory.
func compact(value []byte) json.RawMessage {
	var out bytes.Buffer
	if json.Compact(&out, value) != nil {
		return bytes.Clone(value)
	}
	return out.Bytes()
}

// isServers reports whether a tool does not have the name of ours.
func (k *knowledge) isServers(tool []byte) bool { return jsonrpc.Members(tool).Text("name") != k.ours }

// toolNames names the server's tools.
func (k *knowledge) toolNames() (names []string) {
	for _, one := range k.all().Lists[tools.method] {
		names = append(names, jsonrpc.Members(one).Text("name"))
	}
	return names
}

// initialize is the result that the server gave to a host that asked for a revision, else for another one; nil where it
// never gave any.
func (k *knowledge) initialize(asked string) map[string]json.RawMessage {
	all := k.all().Initialize
	for _, one := range append([]string{asked}, handshakes...) {
		if result := object(all[one]); result != nil {
			return result
		}
	}
	return nil
}

// object is a JSON object, nil for anything else.
func object(data []byte) (members map[string]json.RawMessage) {
	if json.Unmarshal(data, &members) != nil {
		return nil
	}
	return members
}

func capabilitiesOf(result []byte) jsonrpc.Object {
	return jsonrpc.Members(jsonrpc.Get(result, "capabilities"))
}
