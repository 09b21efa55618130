package streamable

import (
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
)

func listing(tools string) string {
	return `{"jsonrpc":"2.0","id":"list","result":{"resultType":"complete","tools":[` + tools + `],"x":1.0}}`
}

// A tool whose annotations break the rules is left out of the list, and nothing else is changed in it.
func TestBadAnnotations(t *testing.T) {
	property := func(p string) string {
		return `{"name":"bad","inputSchema":{"type":"object","properties":{"a":` + p + `}}}`
	}
	bad := []string{
		property(`{"type":"string","x-mcp-header":""}`), property(`{"type":"string","x-mcp-header":"a b"}`), property(`{"type":"string","x-mcp-header":"a\r\nX: y"}`),
		property(`{"type":"string","x-mcp-header":1}`), property(`{"type":"number","x-mcp-header":"A"}`), property(`{"type":"object","x-mcp-header":"A"}`),
		property(`{"x-mcp-header":"A"}`), property(`{"type":["string","array"],"x-mcp-header":"A"}`), property(`{"type":"array","items":{"type":"string","x-mcp-header":"A"}}`),
		property(`{"oneOf":[{"type":"string","x-mcp-header":"A"}]}`), property(`{"type":"object","additionalProperties":{"properties":{"b":{"type":"string","x-mcp-header":"A"}}}}`),
		property(`{"type":"string","x-mcp-header":"A"},"b":{"type":"string","x-mcp-header":"a"}`), property(`{"type":"number","x-mcp-header":"A"},"b":{"type":"string"}`),
		`{"name":"bad","inputSchema":{"x-mcp-header":"A","type":"string"}}`, `{"name":"bad","inputSchema":{"$defs":{"d":{"type":"string","x-mcp-header":"A"}}}}`,
	}
	for _, tool := range bad {
		raw := []byte(listing(`{"name":"one", "z":1.0},` + tool + `,{"name":"two"}`))
		m, err := jsonrpc.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		warned := ""
		out := new(toolHeaders).learn(m.Raw, func(name string, why error) { warned = name + why.Error() })
		if string(out) != listing(`{"name":"one", "z":1.0},{"name":"two"}`) || !strings.HasPrefix(warned, "bad") {
			t.Errorf("%s\nbecame %s (%s)", tool, out, warned)
		}
	}
}

// Reading the tools of any result changes nothing but what is left out.
func FuzzToolHeaders(f *testing.F) {
	f.Add([]byte(listing(`{"name":"a","inputSchema":{"properties":{"p":{"type":"string","x-mcp-header":"A"}}}},{"name":1},2`)))
	f.Add([]byte(`{"id":1,"result":{"tools":[{"inputSchema":{"x-mcp-header":1}}],"tools":{}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := jsonrpc.Parse(raw)
		if err != nil {
			return
		}
		dropped := 0
		out := new(toolHeaders).learn(m.Raw, func(string, error) { dropped++ })
		if dropped == 0 && string(out) != string(m.Raw) {
			t.Fatalf("%s became %s", m.Raw, out)
		}
		if _, err := jsonrpc.Parse(out); err != nil {
			t.Fatalf("%s became %s", m.Raw, out)
		}
	})
}
