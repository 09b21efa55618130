package streamable

import (
	"bytes"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
)

// annotation is the name of the schema extension that has an argument mirrored into a header (MCP 2026-07-28,
// "Custom Headers from Tool Parameters").
const annotation = "x-mcp-header"

// toolHeader says which argument of a tool goes into which header.
type toolHeader struct {
	path   []string // names of nested properties
	header string   // without Mcp-Param-
}

// toolHeaders are those of every tool in the tools/list results that have passed through.
type toolHeaders struct {
	mu     sync.Mutex
	byTool map[string][]toolHeader
}

// of returns those of a tool; nil where there are none or the tool has not been seen.
func (t *toolHeaders) of(name string) []toolHeader {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byTool[name]
}

// learn reads a tools/list response. It returns the text to pass on: the same, but for tools whose annotations break
// the rules, which a client of Streamable HTTP must leave out, each reported to warn.
func (t *toolHeaders) learn(raw []byte, warn func(tool string, why error)) []byte {
	list := jsonrpc.Get(raw, "result", "tools")
	var kept [][]byte
	dropped := false
	for _, tool := range jsonrpc.Elements(list) {
		members := jsonrpc.Members(tool)
		name := members.Text("name")
		found, err := headersOf(members.Get("inputSchema"))
		if err != nil {
			warn(name, err)
			dropped = true
			continue
		}
		kept = append(kept, tool)
		t.set(name, found)
	}
	if !dropped {
		return raw
	}
	return jsonrpc.Replace(raw, list, slices.Concat([]byte("["), bytes.Join(kept, []byte(",")), []byte("]")))
}

func (t *toolHeaders) set(name string, found []toolHeader) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(found) == 0 {
		delete(t.byTool, name)
		return
	}
	if t.byTool == nil {
		t.byTool = map[string][]toolHeader{}
	}
	t.byTool[name] = found
}

// headersOf collects the annotations of an input schema and judges them.
func headersOf(schema []byte) ([]toolHeader, error) {
	if !bytes.Contains(schema, []byte(annotation)) {
		return nil, nil // an escaped spelling of the name would be seen by nobody else either
	}
	var out []toolHeader
	seen := map[string]bool{}
	err := collect(schema, nil, true, func(m toolHeader) error {
		folded := strings.ToLower(m.header)
		if seen[folded] {
			return errors.New("two parameters share the header " + folded)
		}
		seen[folded] = true
		out = append(out, m)
		return nil
	})
	return out, err
}

// collect walks a schema. reachable says that only "properties" lie between it and the root: an annotation anywhere
// else makes the tool invalid.
func collect(schema []byte, path []string, reachable bool, found func(toolHeader) error) error {
	for _, m := range jsonrpc.Members(schema) {
		var err error
		switch m.Name {
		case annotation:
			if !reachable || len(path) == 0 {
				return errors.New(annotation + " is not on a top-level or nested property")
			}
			err = admit(schema, m.Value, path, found)
		case "properties":
			for _, property := range jsonrpc.Members(m.Value) {
				if err = collect(property.Value, append(slices.Clone(path), property.Name), reachable, found); err != nil {
					return err
				}
			}
		case "default", "const", "enum", "examples": // values, not schemas
		default:
			err = collectBelow(m.Value, found)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// collectBelow looks below a keyword other than "properties": at a schema, a list of them or a map of them.
func collectBelow(value []byte, found func(toolHeader) error) error {
	for _, item := range jsonrpc.Elements(value) {
		if err := collect(item, nil, false, found); err != nil {
			return err
		}
	}
	return collect(value, nil, false, found)
}

func admit(schema, value []byte, path []string, found func(toolHeader) error) error {
	name, ok := jsonrpc.Text(value)
	if !ok || !fieldName(name) {
		return errors.New(annotation + " is not a header name")
	}
	if !primitive(jsonrpc.Get(schema, "type")) {
		return errors.New(annotation + " is on a parameter that is not a string, an integer or a boolean")
	}
	return found(toolHeader{path: path, header: name})
}

// primitive reports whether a type keyword allows a string, an integer or a boolean and, besides null, nothing else.
func primitive(kind []byte) bool {
	if len(kind) > 0 && kind[0] == '[' {
		some := false
		for _, one := range jsonrpc.Elements(kind) {
			some = some || primitive(one)
			if name, _ := jsonrpc.Text(one); name != "null" && !primitive(one) {
				return false
			}
		}
		return some
	}
	name, _ := jsonrpc.Text(kind)
	return name == "string" || name == "integer" || name == "boolean"
}

// fieldName reports whether s is an HTTP field name (RFC 9110 section 5.1).
func fieldName(s string) bool {
	const others = "!#$%&'*+-.^_`|~"
	for _, c := range s {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.ContainsRune(others, c)) {
			return false
		}
	}
	return s != ""
}

// codeMismatch is the server's error code for headers that do not say what the body says (MCP 2026-07-28).
const codeMismatch = "-32020"

// relearn deals with a server that misses headers for a tool whose schema has not passed through, or has changed: it
// asks for the tools and reports whether to call again. The refusal itself says that nothing was done.
func (d delivery) relearn(resp *http.Response) bool {
	refusal, ok := peekError(resp)
	if !ok || string(jsonrpc.Get(refusal.Error, "code")) != codeMismatch || d.call.revision < stateless {
		return false
	}
	d.Log("the server asks for headers that are not known here; listing its tools")
	return d.List(d.call.ctx, "tools/list", d.call.m.Params.Get("_meta")) == nil
}
