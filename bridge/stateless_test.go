package bridge

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

const meta26 = `"_meta":{"` + "io.modelcontextprotocol/protocolVersion" + `":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`

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
		if a.m.Method == "tools/list" {
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
			if short != name && name != "Mcp-Protocol-Version" && h.Get(name) != c.want[short] {
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

// In the revisions before it the annotation means nothing, and no header is sent that nothing was negotiated for.
func TestAnnotationsOfOlderRevisions(t *testing.T) {
	odd := listing(`{"name":"one","inputSchema":{"x-mcp-header":"A","type":"string"}}`)
	f := serve(t, func(w http.ResponseWriter, _ *http.Request, a arrival) bool {
		if a.m.Method == "tools/list" {
			answer(w, odd)
		}
		return a.m.Method == "tools/list"
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
		case a.m.Method == "tools/list" && lists.Add(1) == 1:
			answer(w, strings.Replace(strings.Replace(listing(`{"name":"other"}`), `"x"`, `"nextCursor":"c","x"`, 1), `"list"`, string(a.m.ID), 1))
		case a.m.Method == "tools/list":
			answer(w, strings.Replace(listing(annotated), `"list"`, string(a.m.ID), 1))
		case a.header.Get("Mcp-Param-Region") == "":
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(400)
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32020,"message":"Header mismatch"}}`, a.m.ID)
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
	if last := f.arrivals("POST tools/list")[1]; last.m.Params.Text("cursor") != "c" || last.header.Get("Mcp-Method") != "tools/list" {
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
