package bridge

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

const meta26 = `"_meta":{"` + metaVersion + `":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`

func modernCall(id, arguments string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"method":"tools/call","params":{"name":"t","arguments":` + arguments + `,` + meta26 + `}}`
}

func listing(tools string) string {
	return `{"jsonrpc":"2.0","id":"list","result":{"resultType":"complete","tools":[` + tools + `],"x":1.0}}`
}

const annotated = `{"name":"t","inputSchema":{"type":"object","properties":{
 "region":{"type":"string","x-mcp-header":"Region"},"n":{"type":["integer","null"],"x-mcp-header":"N"},"b":{"type":"boolean","x-mcp-header":"B"},
 "x-mcp-header":{"type":"string"},"o":{"type":"object","properties":{"in":{"type":"string","x-mcp-header":"In"}},"default":{"x-mcp-header":1}},"plain":{"type":"string"}}}}`

// A stateless request says in its headers what its body says, and carries no session.
func TestStatelessHeaders(t *testing.T) {
	list := `{"jsonrpc":"2.0","id":"list","method":"tools/list","params":{` + meta26 + `}}`
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
		if a.m.method == "tools/list" {
			answer(w, listing(annotated))
			return true
		}
		return false
	})
	r := run(t, Config{URL: f.url()})
	r.send(`{"jsonrpc":"2.0","id":"d","method":"server/discover","params":{` + meta26 + `}}`)
	r.want(result(`"d"`, "ok"))
	r.send(list)
	r.want(strings.ReplaceAll(listing(annotated), "\n", ""))
	cases := []struct {
		line string
		want map[string]string // without "Mcp-"
	}{
		{modernCall("1", `{"region":"us-west1","n":42,"b":true,"o":{"in":"x"},"plain":"p"}`), map[string]string{"Method": "tools/call", "Name": "t", "Param-Region": "us-west1", "Param-N": "42", "Param-B": "true", "Param-In": "x"}},
		{modernCall("2", `{"region":"Hello, 世界","n":-7,"b":null,"o":1}`), map[string]string{"Method": "tools/call", "Name": "t", "Param-Region": "=?base64?SGVsbG8sIOS4lueVjA==?=", "Param-N": "-7"}},
		{modernCall("3", `{"region":" padded ","n":4.2e1}`), map[string]string{"Method": "tools/call", "Name": "t", "Param-Region": "=?base64?IHBhZGRlZCA=?=", "Param-N": "42"}},
		{modernCall("4", `{"region":"line1\nline2","n":9007199254740993}`), map[string]string{"Method": "tools/call", "Name": "t", "Param-Region": "=?base64?bGluZTEKbGluZTI=?="}},
		{modernCall("5", `{"region":"=?base64?literal?=","n":1.5}`), map[string]string{"Method": "tools/call", "Name": "t", "Param-Region": "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="}},
		{modernCall("6", `[]`), map[string]string{"Method": "tools/call", "Name": "t"}},
		{`{"jsonrpc":"2.0","id":7,"method":"resources/read","params":{"uri":"file:///é",` + meta26 + `}}`, map[string]string{"Method": "resources/read", "Name": "=?base64?ZmlsZTovLy/DqQ==?="}},
		{`{"jsonrpc":"2.0","id":8,"method":"prompts/get","params":{"name":"p",` + meta26 + `}}`, map[string]string{"Method": "prompts/get", "Name": "p"}},
		{`{"jsonrpc":"2.0","id":9,"method":"vendor/\r\nX: y","params":{"name":"p",` + meta26 + `}}`, map[string]string{"Method": "=?base64?dmVuZG9yLw0KWDogeQ==?="}},
	}
	for i, c := range cases {
		r.send(c.line)
		r.holds(`"text":"ok"`)
		h := f.seen[i+2].header
		if v := h.Get("Mcp-Protocol-Version"); v != "2026-07-28" || h.Get("Mcp-Session-Id") != "" {
			t.Errorf("%s: %v", c.line, h)
		}
		for name := range h {
			short := strings.TrimPrefix(name, "Mcp-")
			if short != name && name != headerVersion && h.Get(name) != c.want[short] {
				t.Errorf("%s: %s is %q, want %q", c.line, name, h.Get(name), c.want[short])
			}
		}
		for short, want := range c.want {
			if got := h.Get("Mcp-" + short); got != want {
				t.Errorf("%s: %s is %q, want %q", c.line, short, got, want)
			}
		}
	}
	r.silent()
	if n := len(f.arrivals("DELETE")) + len(f.arrivals("GET")); n > 0 {
		t.Errorf("%d requests that a stateless server does not know", n)
	}
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
		m, err := peek(raw)
		if err != nil {
			t.Fatal(err)
		}
		warned := ""
		out := new(tools).learn(m.raw, func(name string, why error) { warned = name + why.Error() })
		if string(out) != listing(`{"name":"one", "z":1.0},{"name":"two"}`) || !strings.HasPrefix(warned, "bad") {
			t.Errorf("%s\nbecame %s (%s)", tool, out, warned)
		}
	}
}

// In the revisions before it the annotation means nothing, and no header is sent that nothing was negotiated for.
func TestAnnotationsOfOlderRevisions(t *testing.T) {
	odd := listing(`{"name":"one","inputSchema":{"x-mcp-header":"A","type":"string"}}`)
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
		if a.m.method == "tools/list" {
			answer(w, odd)
		}
		return a.m.method == "tools/list"
	})
	r := run(t, Config{URL: f.url()})
	r.send(`{"jsonrpc":"2.0","id":"list","method":"tools/list","params":{}}`)
	r.want(odd)
	for name := range f.arrivals("POST tools/list")[0].header {
		if strings.HasPrefix(name, "Mcp-") {
			t.Errorf("%s is sent", name)
		}
	}
}

// A server that misses headers is asked for its tools, and the call is made again with them.
func TestHeaderMismatch(t *testing.T) {
	var lists atomic.Int32
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
		switch {
		case a.m.method == "tools/list" && lists.Add(1) == 1:
			answer(w, strings.Replace(strings.Replace(listing(`{"name":"other"}`), `"x"`, `"nextCursor":"c","x"`, 1), `"list"`, string(a.m.id), 1))
		case a.m.method == "tools/list":
			answer(w, strings.Replace(listing(annotated), `"list"`, string(a.m.id), 1))
		case a.header.Get("Mcp-Param-Region") == "":
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(400)
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32020,"message":"Header mismatch"}}`, a.m.id)
		default:
			return false
		}
		return true
	})
	r := run(t, Config{URL: f.url()})
	r.send(modernCall("1", `{"region":"r"}`))
	r.want(result("1", "ok"))
	r.send(modernCall("2", `{"plain":"r"}`))
	r.holds(`"id":2`, "-32020")
	r.silent()
	if last := f.arrivals("POST tools/list")[1]; digText(last.m.params, "cursor") != "c" || last.header.Get("Mcp-Method") != "tools/list" {
		t.Errorf("%s", last.body)
	}
}

// A subscription that the server ends is made again.
func TestListenAgain(t *testing.T) {
	var n atomic.Int32
	f := serve(t, func(w http.ResponseWriter, r *http.Request, a arrival) bool {
		stream(w, event1(fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/n","params":{"n":%d}}`, n.Add(1))))
		if n.Load() == 2 {
			<-r.Context().Done()
		}
		return true
	})
	r := run(t, Config{URL: f.url()})
	r.send(`{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{` + meta26 + `}}`)
	r.want(`{"jsonrpc":"2.0","method":"notifications/n","params":{"n":1}}`, `{"jsonrpc":"2.0","method":"notifications/n","params":{"n":2}}`)
	r.silent()
}
