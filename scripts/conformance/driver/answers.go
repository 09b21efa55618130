package main

import (
	"encoding/json"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld/mcphost"
)

// tool is a tool as tools/list describes it.
type tool struct {
	Name        string
	InputSchema json.RawMessage
}

// examples are a call of each tool with what its schema requires. A tool that wants a schema gets that of the first
// tool, as it came.
func examples(tools []tool) ([]call, error) {
	var calls []call
	for _, t := range tools {
		var s schema
		if err := json.Unmarshal(t.InputSchema, &s); err != nil {
			return nil, err
		}
		arguments := s.example()
		if _, wanted := arguments["schema"]; wanted {
			arguments["schema"] = tools[0].InputSchema
		}
		calls = append(calls, call{t.Name, arguments})
	}
	return calls, nil
}

// schema is the part of a JSON schema that examples are made from.
type schema struct {
	Type       any
	Default    any
	Enum       []any
	Properties map[string]schema
	Required   []string
}

// example makes arguments of what the schema requires.
func (s schema) example() map[string]any {
	out := map[string]any{}
	for _, name := range s.Required {
		out[name] = s.Properties[name].value()
	}
	return out
}

func (s schema) value() any {
	switch {
	case s.Default != nil:
		return s.Default
	case len(s.Enum) > 0:
		return s.Enum[0]
	}
	switch s.Type {
	case "number", "integer":
		return 5
	case "boolean":
		return true
	case "array":
		return []any{}
	case "object":
		return s.example()
	}
	return "text"
}

// answer is the host's side of what servers ask: a person who takes every default, a model that says one word.
func answer(method string, params json.RawMessage) (any, error) {
	switch method {
	case "elicitation/create":
		return elicited(params)
	case "sampling/createMessage":
		return map[string]any{"role": "assistant", "model": "driver", "content": map[string]any{"type": "text", "text": "yes"}}, nil
	case "roots/list":
		return map[string]any{"roots": []any{}}, nil
	case "ping":
		return map[string]any{}, nil
	}
	return nil, &mcphost.Error{Code: -32601, Message: "the driver does not do that"}
}

func elicited(params json.RawMessage) (any, error) {
	var p struct{ RequestedSchema schema }
	if err := json.Unmarshal(params, &p); err != nil {
		return nil, err
	}
	content := p.RequestedSchema.example()
	for name, property := range p.RequestedSchema.Properties {
		if property.Default != nil {
			content[name] = property.Default
		}
	}
	return map[string]any{"action": "accept", "content": content}, nil
}
