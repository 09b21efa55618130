package host

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/tailscale/hujson"

	"github.com/mcp-credential/mcp-credential/credential"
)

// jsonc is a configuration in JSON, with comments and trailing commas where the host has them.
type jsonc struct {
	at       [][]string // where the servers are; "*" is every member. New ones come to the first
	url      []string   // the members that name a remote server, the most telling first
	kind     string     // the type of a server on this machine; empty: a command is enough
	oneList  bool       // program and arguments are one list
	token    func(e Entry, s Server) []field
	defaults []field // what an entry needs that has no such member
	callback string  // redirect_uri of a client of which the port is known; empty: as credential.LocalRedirect has it
}

// field is a member of an object, with a value that has an encoding.
type field struct {
	name  string
	value any
}

// remoteOnly are the members of an entry that mean something for a remote server alone.
var remoteOnly = []string{"url", "httpUrl", "serverUrl", "uri", "headers", "oauth", "auth", "headersHelper", "requestInit", "authProviderType"}

// parse reads a text; an empty one is an empty object.
func (j jsonc) parse(text []byte) (hujson.Value, error) {
	text = bytes.TrimPrefix(text, bom)
	if len(bytes.TrimSpace(text)) == 0 {
		text = []byte("{}")
	}
	v, err := hujson.Parse(text)
	if err != nil {
		return v, fmt.Errorf("it is not JSON: %w", err)
	}
	if _, ok := v.Value.(*hujson.Object); !ok {
		return v, fmt.Errorf("it is not a JSON object")
	}
	return v, nil
}

// Servers is Syntax.
func (j jsonc) Servers(text []byte) ([]Server, error) {
	v, err := j.parse(text)
	if err != nil {
		return nil, err
	}
	var out []Server
	for _, path := range j.at {
		for _, group := range groups(v.Value.(*hujson.Object), path, nil) {
			for _, m := range group.object.Members {
				if s, ok := j.server(m); ok {
					s.Group = group.name
					out = append(out, s)
				}
			}
		}
	}
	return out, nil
}

// group is an object of servers.
type group struct {
	name   string
	object *hujson.Object
}

// groups are the objects at the end of a path.
func groups(o *hujson.Object, path, walked []string) []group {
	if len(path) == 0 {
		return []group{{strings.Join(walked, "\n"), o}}
	}
	var out []group
	for i := range o.Members {
		name := nameOf(o.Members[i])
		next, ok := o.Members[i].Value.Value.(*hujson.Object)
		if ok && (path[0] == "*" || path[0] == name) {
			out = append(out, groups(next, path[1:], append(slices.Clone(walked), name))...)
		}
	}
	return out
}

func nameOf(m hujson.ObjectMember) string { return m.Name.Value.(hujson.Literal).String() }

// plain decodes a value without its comments.
func plain(v hujson.Value, into any) bool {
	c := v.Clone()
	c.Standardize()
	return json.Unmarshal(c.Pack(), into) == nil
}

// server reads an entry.
func (j jsonc) server(m hujson.ObjectMember) (Server, bool) {
	var e map[string]any
	if !plain(m.Value, &e) {
		return Server{}, false
	}
	s := Server{Name: nameOf(m), Headers: map[string]string{}}
	for _, name := range j.url {
		if text, ok := e[name].(string); ok {
			if url, ok := remote(text); ok {
				s.URL = url
				break
			}
		}
	}
	if s.URL == "" {
		if !s.readCommand(append(texts(e["command"]), texts(e["args"])...)) {
			return s, false
		}
	}
	if helper, ok := e["headersHelper"].(string); ok {
		s.readTokenCommand(helper)
	}
	for _, name := range []string{"env", "environment"} {
		if env, ok := e[name].(map[string]any); ok && s.Home == "" {
			s.Home, _ = env[homeVariable].(string)
		}
	}
	if h, ok := e["headers"].(map[string]any); ok {
		for name, value := range h {
			s.Headers[name] = fmt.Sprint(value)
		}
	}
	for _, name := range []string{"oauth", "auth"} {
		if o, ok := e[name].(map[string]any); ok {
			s.readOAuth(o, j.callback)
		}
	}
	return s, true
}

// readOAuth reads what an entry says about its client; callback as in jsonc.
func (s *Server) readOAuth(o map[string]any, callback string) {
	for _, name := range []string{"clientId", "client_id", "CLIENT_ID"} {
		if id, ok := o[name].(string); ok {
			s.ClientID = id
		}
	}
	for _, name := range []string{"scopes", "scope"} {
		for _, text := range texts(o[name]) {
			s.Scopes = append(s.Scopes, strings.Fields(text)...)
		}
	}
	for _, name := range []string{"callbackPort", "redirectPort"} {
		if port, ok := o[name]; ok {
			s.Redirect = credential.LocalRedirect(callback, fmt.Sprint(port))
		}
	}
	if uri, ok := o["redirectUri"].(string); ok {
		s.Redirect = uri
	}
	s.MetadataURL, _ = o["authServerMetadataUrl"].(string)
}

// texts are the strings in a value that is one or a list of them.
func texts(v any) (out []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, one := range v {
			if text, ok := one.(string); ok {
				out = append(out, text)
			}
		}
	}
	return out
}

// fields are the members of our entry.
func (j jsonc) fields(e Entry, s Server) []field {
	if e.Token {
		return j.token(e, s)
	}
	if j.oneList {
		return []field{{"type", j.kind}, {"command", append([]string{e.Program}, e.Args(s)...)}}
	}
	fields := []field{{"command", e.Program}, {"args", e.Args(s)}}
	if j.kind != "" {
		fields = append([]field{{"type", j.kind}}, fields...)
	}
	return fields
}
