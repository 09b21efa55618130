package bridge

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// What the host was promised stays true: a server of another revision is said to be one, and remembered as such.
func TestOtherRevision(t *testing.T) {
	var begun atomic.Int32
	f := serve(t, func(w http.ResponseWriter, r *http.Request, a arrival) bool {
		if a.m.Method == "initialize" {
			if begun.Add(1)%2 == 1 { // each host's own comes to nothing in time
				<-r.Context().Done()
				return true
			}
			return lister(w, a, `{"jsonrpc":"2.0","id":"list","result":{"protocolVersion":"2024-11-05","capabilities":{}}}`)
		}
		return false
	})
	m := &mind{}
	config := Config{URL: f.url(), Name: "test", StartWait: shortly, Memory: m}
	r := run(t, config)
	r.hello("{}")
	r.send(call1("1", "a"))
	r.until(`"id":1`, "does not speak MCP 2025-11-25, with which this host has begun, but 2024-11-05")
	r.finish()
	r = run(t, config)
	r.send(initialize("{}"))
	r.until(`"id":"hello"`, `"protocolVersion":"2024-11-05"`)
	r.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`, call1("1", "a"))
	r.waitFor(result("1", "ok"))
}

// A stateless host is answered too, and hears of changes on its subscription.
func TestStatelessStandIn(t *testing.T) {
	var up atomic.Bool
	discovered := `{"jsonrpc":"2.0","id":"list","result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"ttlMs":0,"cacheScope":"private"}}`
	f := serve(t, func(w http.ResponseWriter, r *http.Request, a arrival) bool {
		switch {
		case !up.Load():
			<-r.Context().Done()
		case a.m.Method == "server/discover":
			return lister(w, a, discovered)
		case a.m.Method == "tools/list":
			return lister(w, a, toolList("a"))
		case a.m.Method == "subscriptions/listen":
			stream(w, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\"}\n\n")
			<-r.Context().Done()
		default:
			return false
		}
		return true
	})
	m := &mind{}
	discover := `{"jsonrpc":"2.0","id":"d","method":"server/discover","params":{` + meta26 + `}}`
	up.Store(true)
	r := run(t, Config{URL: f.url(), Name: "test", StartWait: patience, Memory: m})
	r.send(discover)
	r.want(strings.Replace(discovered, `"list"`, `"d"`, 1))
	r.finish()
	up.Store(false)
	r = run(t, Config{URL: f.url(), Name: "test", StartWait: shortly, Memory: m, Handshake: 200 * time.Millisecond})
	r.send(discover)
	r.holds(`"id":"d"`, `"supportedVersions":["2026-07-28"]`, `"tools":{"listChanged":true}`)
	r.send(`{"jsonrpc":"2.0","id":"sub","method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},` + meta26 + `}}`)
	r.until("notifications/subscriptions/acknowledged", `subscriptionId":"sub"`, `"toolsListChanged":true`)
	r.send(`{"jsonrpc":"2.0","id":"list","method":"tools/list","params":{` + meta26 + `}}`)
	r.until(`"id":"list"`, `"tools":[]`, `"resultType":"complete"`, `"ttlMs":0`)
	up.Store(true)
	r.until("notifications/tools/list_changed", `"io.modelcontextprotocol/subscriptionId":"sub"`)
	r.send(`{"jsonrpc":"2.0","id":"list","method":"tools/list","params":{` + meta26 + `}}`)
	r.waitFor(toolList("a"))
}

// A server whose kind is not known is offered to a stateless host as one with a handshake, which every host falls back to.
func TestStatelessUnknown(t *testing.T) {
	f := serve(t, func(w http.ResponseWriter, r *http.Request, _ arrival) bool {
		<-r.Context().Done()
		return true
	})
	r := run(t, Config{URL: f.url(), Name: "test", StartWait: shortly})
	began := time.Now()
	r.send(`{"jsonrpc":"2.0","id":"d","method":"server/discover","params":{` + meta26 + `}}`)
	r.holds(`"id":"d"`, `"supportedVersions":["2025-11-25"`)
	r.send(initialize("{}"))
	r.until(`"id":"hello"`, `"protocolVersion":"2025-11-25"`)
	if took := time.Since(began); took > 2*shortly+500*time.Millisecond {
		t.Errorf("it took %s", took)
	}
}
