//go:build hosts && linux

package hosts

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// turn is what a host sends to its model: the tools that it offers, and the results of those that the model has called.
type turn struct {
	tools   []string
	results []string
}

// answer is what the model says: a call of a tool, or a text, after which the host has nothing more to do.
type answer struct {
	tool string
	args map[string]string
	text string
}

// model plays a language model with the interfaces of OpenAI (chat completions), Anthropic (messages) and Google
// (generateContent), as far as the hosts use them.
type model struct {
	*httptest.Server
	decide func(turn) answer

	mu    sync.Mutex
	first time.Time // of the requests with tools
	log   []string
}

func startModel(t *testing.T, decide func(turn) answer) *model {
	t.Helper()
	m := &model{decide: decide}
	m.Server = httptest.NewServer(m)
	t.Cleanup(func() {
		m.CloseClientConnections()
		m.Close()
	})
	return m
}

func (m *model) note(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.log = append(m.log, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

func (m *model) said() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Join(m.log, "\n")
}

// began is when the host first asked with tools, or at all.
func (m *model) began() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.first
}

func (m *model) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var api interface {
		read([]byte) turn
		write(w io.Writer, a answer, n int)
	}
	stream := true
	switch path := r.URL.Path; {
	case strings.HasSuffix(path, "/chat/completions"):
		api = openAI{}
	case strings.HasSuffix(path, "/v1/messages"):
		api = anthropic{}
	case strings.HasSuffix(path, ":streamGenerateContent"):
		api = google{}
	case strings.HasSuffix(path, ":generateContent"):
		api, stream = google{}, false
	case strings.HasSuffix(path, "count_tokens"), strings.HasSuffix(path, ":countTokens"):
		fmt.Fprint(w, `{"input_tokens":1,"totalTokens":1}`)
		return
	default:
		m.note("%s %s", r.Method, path)
		fmt.Fprint(w, `{"data":[],"models":[]}`)
		return
	}
	in := api.read(body)
	a := answer{text: "ok"}
	m.mu.Lock()
	if m.first.IsZero() {
		m.first = time.Now()
	}
	n := len(m.log)
	m.mu.Unlock()
	if len(in.tools) > 0 {
		a = m.decide(in)
		m.note("%d tools, result %d %.400s: %+v", len(in.tools), len(in.results), last(in.results), a)
	}
	if stream {
		w.Header().Set("Content-Type", "text/event-stream")
		api.write(w, a, n)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(googleText(a))
}

func encode(v any) []byte {
	out, err := json.Marshal(v)
	if err != nil {
		panic(err) // what is encoded here has an encoding
	}
	return out
}

func last(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	return texts[len(texts)-1]
}

// event writes a server-sent event.
func event(w io.Writer, name string, data any) {
	if name != "" {
		fmt.Fprintf(w, "event: %s\n", name)
	}
	fmt.Fprintf(w, "data: %s\n\n", encode(data))
}

// flat is the text in a value of any shape.
func flat(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return string(encode(v))
}

type object = map[string]any

type openAI struct{}

func (openAI) read(body []byte) (t turn) {
	var in struct {
		Tools []struct {
			Function struct{ Name string }
		}
		Messages []struct {
			Role    string
			Content any
		}
	}
	_ = json.Unmarshal(body, &in)
	for _, one := range in.Tools {
		t.tools = append(t.tools, one.Function.Name)
	}
	for _, one := range in.Messages {
		if one.Role == "tool" {
			t.results = append(t.results, flat(one.Content))
		}
	}
	return t
}

func (openAI) write(w io.Writer, a answer, n int) {
	chunk := func(delta object, reason any) {
		event(w, "", object{"id": fmt.Sprint("c", n), "object": "chat.completion.chunk", "created": 1, "model": "gpt-4.1",
			"choices": []object{{"index": 0, "delta": delta, "finish_reason": reason}}})
	}
	if a.tool == "" {
		chunk(object{"role": "assistant", "content": a.text}, nil)
		chunk(object{}, "stop")
	} else {
		chunk(object{"role": "assistant", "tool_calls": []object{{"index": 0, "id": fmt.Sprint("call_", n), "type": "function",
			"function": object{"name": a.tool, "arguments": string(encode(a.args))}}}}, nil)
		chunk(object{}, "tool_calls")
	}
	fmt.Fprint(w, "data: [DONE]\n\n")
}

type anthropic struct{}

func (anthropic) read(body []byte) (t turn) {
	var in struct {
		Tools    []struct{ Name string }
		Messages []struct{ Content any }
	}
	_ = json.Unmarshal(body, &in)
	for _, one := range in.Tools {
		t.tools = append(t.tools, one.Name)
	}
	for _, one := range in.Messages {
		blocks, _ := one.Content.([]any)
		for _, block := range blocks {
			if b, ok := block.(object); ok && b["type"] == "tool_result" {
				t.results = append(t.results, flat(b["content"]))
			}
		}
	}
	return t
}

func (anthropic) write(w io.Writer, a answer, n int) {
	event(w, "message_start", object{"type": "message_start", "message": object{"id": fmt.Sprint("msg_", n), "type": "message", "role": "assistant",
		"model": "claude", "content": []any{}, "stop_reason": nil, "stop_sequence": nil, "usage": object{"input_tokens": 1, "output_tokens": 1}}})
	block, delta, reason := object{"type": "text", "text": ""}, object{"type": "text_delta", "text": a.text}, "end_turn"
	if a.tool != "" {
		block, reason = object{"type": "tool_use", "id": fmt.Sprint("toolu_", n), "name": a.tool, "input": object{}}, "tool_use"
		delta = object{"type": "input_json_delta", "partial_json": string(encode(a.args))}
	}
	event(w, "content_block_start", object{"type": "content_block_start", "index": 0, "content_block": block})
	event(w, "content_block_delta", object{"type": "content_block_delta", "index": 0, "delta": delta})
	event(w, "content_block_stop", object{"type": "content_block_stop", "index": 0})
	event(w, "message_delta", object{"type": "message_delta", "delta": object{"stop_reason": reason, "stop_sequence": nil}, "usage": object{"output_tokens": 1}})
	event(w, "message_stop", object{"type": "message_stop"})
}

type google struct{}

func (google) read(body []byte) (t turn) {
	var in struct {
		Tools []struct {
			FunctionDeclarations []struct{ Name string }
		}
		Contents []struct {
			Parts []struct {
				FunctionResponse *struct{ Response any }
			}
		}
	}
	_ = json.Unmarshal(body, &in)
	for _, one := range in.Tools {
		for _, f := range one.FunctionDeclarations {
			t.tools = append(t.tools, f.Name)
		}
	}
	for _, one := range in.Contents {
		for _, p := range one.Parts {
			if p.FunctionResponse != nil {
				t.results = append(t.results, flat(p.FunctionResponse.Response))
			}
		}
	}
	return t
}

func (google) write(w io.Writer, a answer, _ int) { fmt.Fprintf(w, "data: %s\n\n", googleText(a)) }

func googleText(a answer) []byte {
	part := object{"text": a.text}
	if a.tool != "" {
		part = object{"functionCall": object{"name": a.tool, "args": a.args}}
	}
	return encode(object{"candidates": []object{{"index": 0, "finishReason": "STOP", "content": object{"role": "model", "parts": []object{part}}}},
		"usageMetadata": object{"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}})
}
