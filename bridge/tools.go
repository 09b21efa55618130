package bridge

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"sync"
)

// annotation is the name of the schema extension that has an argument mirrored into a header (MCP 2026-07-28,
// "Custom Headers from Tool Parameters").
const annotation = "x-mcp-header"

// mirror says which argument of a tool goes into which header.
type mirror struct {
	path   []string // names of nested properties
	header string   // without Mcp-Param-
}

// tools remembers the mirrors of every tool in the tools/list results that have passed through.
type tools struct {
	mu    sync.Mutex
	known map[string][]mirror
}

// of returns the mirrors of a tool; nil where there are none or the tool has not been seen.
func (t *tools) of(name string) []mirror {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known[name]
}

// learn reads a tools/list response. It returns the text to pass on: the same, but for tools whose annotations break
// the rules, which a client of Streamable HTTP must leave out, each reported to warn.
func (t *tools) learn(raw []byte, warn func(tool string, why error)) []byte {
	list := dig(raw, "result", "tools")
	var kept [][]byte
	dropped := false
	for tool := range elements(list) {
		name := digText(tool, "name")
		found, err := mirrors(dig(tool, "inputSchema"))
		if err != nil {
			warn(name, err)
			dropped = true
			continue
		}
		kept = append(kept, tool)
		t.keep(name, found)
	}
	if !dropped {
		return raw
	}
	at := cap(raw) - cap(list) // list is a part of raw, and both reach to the end of the same memory
	out := slices.Concat(raw[:at], []byte("["), bytes.Join(kept, []byte(",")), []byte("]"), raw[at+len(list):])
	return out
}

func (t *tools) keep(name string, found []mirror) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(found) == 0 {
		delete(t.known, name)
		return
	}
	if t.known == nil {
		t.known = map[string][]mirror{}
	}
	t.known[name] = found
}

// mirrors collects the annotations of an input schema and judges them.
func mirrors(schema []byte) ([]mirror, error) {
	if !bytes.Contains(schema, []byte(annotation)) {
		return nil, nil // an escaped spelling of the name would be seen by nobody else either
	}
	var out []mirror
	seen := map[string]bool{}
	err := collect(schema, nil, true, func(m mirror) error {
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
func collect(schema []byte, path []string, reachable bool, found func(mirror) error) error {
	for key, value := range members(schema) {
		var err error
		switch key {
		case annotation:
			if !reachable || len(path) == 0 {
				return errors.New(annotation + " stands where no argument can be found")
			}
			err = admit(schema, value, path, found)
		case "properties":
			for name, property := range members(value) {
				if err = collect(property, append(slices.Clone(path), name), reachable, found); err != nil {
					return err
				}
			}
		case "default", "const", "enum", "examples": // values, not schemas
		default:
			err = collectElsewhere(value, found)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// collectElsewhere looks below a keyword other than "properties": at a schema, a list of them or a map of them.
func collectElsewhere(value []byte, found func(mirror) error) error {
	for item := range elements(value) {
		if err := collect(item, nil, false, found); err != nil {
			return err
		}
	}
	return collect(value, nil, false, found)
}

func admit(schema, value []byte, path []string, found func(mirror) error) error {
	name, ok := text(value)
	if !ok || !token(name) {
		return errors.New(annotation + " is not a header name")
	}
	if !primitive(dig(schema, "type")) {
		return errors.New(annotation + " is on a parameter that is no string, integer or boolean")
	}
	return found(mirror{path: path, header: name})
}

// primitive reports whether a type keyword allows a string, an integer or a boolean and, besides null, nothing else.
func primitive(kind []byte) bool {
	if len(kind) > 0 && kind[0] == '[' {
		some := false
		for one := range elements(kind) {
			some = some || primitive(one)
			if name, _ := text(one); name != "null" && !primitive(one) {
				return false
			}
		}
		return some
	}
	name, _ := text(kind)
	return name == "string" || name == "integer" || name == "boolean"
}

// token reports whether s is an HTTP field name (RFC 9110 section 5.1).
func token(s string) bool {
	const others = "!#$%&'*+-.^_`|~"
	for _, c := range s {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.ContainsRune(others, c)) {
			return false
		}
	}
	return s != ""
}
