package streamable

import (
	"encoding/base64"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
)

// The revisions that change what a request carries.
const (
	stateless   = "2026-07-28" // no session, the version in every request
	metaVersion = "io.modelcontextprotocol/protocolVersion"
)

// The header names, in the spelling that net/http keys them by.
const (
	headerVersion = "Mcp-Protocol-Version"
	headerSession = "Mcp-Session-Id"
	headerMethod  = "Mcp-Method"
	headerName    = "Mcp-Name"
	headerParam   = "Mcp-Param-"
	headerLast    = "Last-Event-Id"
)

// describe puts on h what the revision of the request demands.
func (r *request) describe(h http.Header, s session) {
	m := r.call.m
	switch {
	case r.method == http.MethodPost && m.Method == "initialize":
		return
	case r.method != http.MethodPost || r.call.revision < stateless:
		if s.version != "" {
			h[headerVersion] = []string{s.version}
		}
		if s.id != "" {
			h[headerSession] = []string{s.id}
		}
		return
	}
	h[headerVersion] = []string{r.call.revision}
	h[headerMethod] = []string{fieldValue(m.Method)}
	if name, ok := nameOf(m); ok {
		h[headerName] = []string{fieldValue(name)}
	}
	if m.Method != "tools/call" {
		return
	}
	for _, p := range r.toolHeaders.of(m.Params.Text("name")) {
		if value, ok := fieldText(m.Params.Get(append([]string{"arguments"}, p.path...)...)); ok {
			h.Set(headerParam+p.header, fieldValue(value))
		}
	}
}

// nameOf is what Mcp-Name repeats.
func nameOf(m *jsonrpc.Message) (string, bool) {
	switch m.Method {
	case "tools/call", "prompts/get":
		return jsonrpc.Text(m.Params.Get("name"))
	case "resources/read":
		return jsonrpc.Text(m.Params.Get("uri"))
	}
	return "", false
}

// maxInteger is the largest integer that JavaScript holds exactly; the specification allows no larger ones in headers.
const maxInteger = 1<<53 - 1

// fieldText is what a header says for an argument; false for null, absent and what has no such form.
func fieldText(value []byte) (string, bool) {
	if s, ok := jsonrpc.Text(value); ok {
		return s, true
	}
	switch string(value) {
	case "", "null":
		return "", false
	case "true", "false":
		return string(value), true
	}
	n, err := strconv.ParseFloat(string(value), 64)
	if err != nil || n != math.Trunc(n) || math.Abs(n) > maxInteger {
		return "", false
	}
	return strconv.FormatInt(int64(n), 10), true
}

// The marks around a value in Base64 (MCP 2026-07-28, "Value Encoding").
const (
	encodedFrom = "=?base64?"
	encodedTo   = "?="
)

// fieldValue makes s safe in a header: as it is where that is unambiguous, else in Base64.
func fieldValue(s string) string {
	plain := strings.Trim(s, " \t") == s && !(strings.HasPrefix(s, encodedFrom) && strings.HasSuffix(s, encodedTo))
	for i := 0; i < len(s) && plain; i++ {
		plain = s[i] >= ' ' && s[i] <= '~'
	}
	if plain {
		return s
	}
	return encodedFrom + base64.StdEncoding.EncodeToString([]byte(s)) + encodedTo
}
