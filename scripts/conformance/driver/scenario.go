package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld/mcphost"
)

// The revisions of the protocol that the driver speaks, one with sessions and one without.
const (
	stateful  = "2025-11-25"
	stateless = "2026-07-28"
)

// unsupportedVersion is the code of a server that does not speak the revision of a request (MCP 2026-07-28).
const unsupportedVersion = -32022

// scenario is one run of the suite.
type scenario struct {
	name    string
	version string
	context facts
	host    *mcphost.Host
}

// facts are what the suite tells a client beforehand.
type facts struct {
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	PrivateKey   string `json:"private_key_pem"`
	Algorithm    string `json:"signing_algorithm"`
	Assertion    string `json:"valid_jwt"`
	Provider     string `json:"idp_issuer"`
	ProviderID   string `json:"idp_client_id"`
	IDToken      string `json:"idp_id_token"`
	ToolCalls    []call `json:"toolCalls"`
}

// call is a tool and its arguments.
type call struct {
	Name      string         `json:"name"`
	Arguments map[string]any `json:"arguments"`
}

// metadataDocument is the client id that the suite expects where the server takes client id metadata documents.
const metadataDocument = "https://conformance-test.local/client-metadata.json"

func (s *scenario) clientID() string {
	switch {
	case s.name == "auth/basic-cimd":
		return metadataDocument
	case s.machine():
		return "" // it stands in the configuration
	}
	return s.context.ClientID
}

// machine reports whether the client is a program and no person.
func (s *scenario) machine() bool { return s.identity() != nil }

// capabilities are what this host can do.
func capabilities() map[string]any {
	return map[string]any{"elicitation": map[string]any{"form": map[string]any{"applyDefaults": true}}, "sampling": map[string]any{}, "roots": map[string]any{}}
}

// play is a host's session: the handshake, the tools, a call of each.
func (s *scenario) play(ctx context.Context) error {
	if err := s.greet(ctx); err != nil {
		return err
	}
	result, err := s.ask(ctx, "tools/list", map[string]any{})
	var list struct{ Tools []tool }
	if err == nil {
		err = json.Unmarshal(result, &list)
	}
	if err != nil {
		return fmt.Errorf("tools/list: %w", err)
	}
	calls := s.context.ToolCalls
	if calls == nil {
		if calls, err = examples(list.Tools); err != nil {
			return err
		}
	}
	var errs []error
	for _, c := range calls {
		if err := s.call(ctx, c); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.Name, err))
		}
	}
	return errors.Join(errs...)
}

func (s *scenario) greet(ctx context.Context) error {
	if s.version >= stateless {
		_, err := s.ask(ctx, "server/discover", map[string]any{})
		var refused *mcphost.Error
		if errors.As(err, &refused) && refused.Code == unsupportedVersion {
			_, err = s.ask(ctx, "server/discover", map[string]any{}) // the only version we share is the one we have named
		}
		return err
	}
	_, err := s.host.Initialize(ctx, s.version, capabilities())
	return err
}

// ask makes a request in the form of the revision.
func (s *scenario) ask(ctx context.Context, method string, params map[string]any) (json.RawMessage, error) {
	if s.version >= stateless {
		params = maps.Clone(params)
		params["_meta"] = map[string]any{
			"io.modelcontextprotocol/protocolVersion":    s.version,
			"io.modelcontextprotocol/clientInfo":         map[string]any{"name": "driver", "version": "1"},
			"io.modelcontextprotocol/clientCapabilities": capabilities(),
		}
	}
	return s.host.Call(ctx, method, params)
}

// maxRounds bounds how often one call may ask for more input.
const maxRounds = 5

// call calls a tool, and again with what it asks for (MCP 2026-07-28, "Multi Round-Trip Requests").
func (s *scenario) call(ctx context.Context, c call) error {
	params := map[string]any{"name": c.Name, "arguments": c.Arguments}
	for range maxRounds {
		result, err := s.ask(ctx, "tools/call", params)
		if err != nil {
			return err
		}
		var r struct {
			ResultType    string
			InputRequests map[string]struct {
				Method string
				Params json.RawMessage
			}
			RequestState *string
		}
		if err := json.Unmarshal(result, &r); err != nil || r.ResultType != "input_required" {
			return err
		}
		answers := map[string]any{}
		for name, request := range r.InputRequests {
			if answers[name], err = answer(request.Method, request.Params); err != nil {
				return err
			}
		}
		params = map[string]any{"name": c.Name, "arguments": c.Arguments, "inputResponses": answers}
		if r.RequestState != nil {
			params["requestState"] = *r.RequestState
		}
	}
	return errors.New("the tool never has enough input")
}
