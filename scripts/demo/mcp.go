package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// errRefused says that the MCP server did not accept the token.
var errRefused = errors.New("401 Unauthorized")

// session is one conversation with an MCP server over Streamable HTTP, as far as one tool call needs it.
type session struct {
	ctx   context.Context
	url   string
	token string
	id    string
}

// echo calls the tool of that name and returns the text that came back.
func echo(ctx context.Context, url, token, text string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	s := &session{ctx: ctx, url: url, token: token}
	const hello = `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"demo","version":"1"}}`
	if err := s.post(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":`+hello+`}`, nil); err != nil {
		return "", err
	}
	if err := s.post(`{"jsonrpc":"2.0","method":"notifications/initialized"}`, nil); err != nil {
		return "", err
	}
	var answer struct {
		Result struct {
			Content struct {
				Text string `json:"text"`
			} `json:"structuredContent"`
		} `json:"result"`
	}
	call := fmt.Sprintf(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","arguments":{"text":%q}}}`, text)
	err := s.post(call, &answer)
	return answer.Result.Content.Text, err
}

// post sends one message and decodes the answer, which comes as JSON or as the data of one server-sent event.
func (s *session) post(message string, into any) error {
	req, err := http.NewRequestWithContext(s.ctx, http.MethodPost, s.url, strings.NewReader(message))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	if s.id != "" {
		req.Header.Set("Mcp-Session-Id", s.id)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	switch {
	case err != nil:
		return err
	case resp.StatusCode == http.StatusUnauthorized:
		return errRefused
	case resp.StatusCode >= 300:
		return fmt.Errorf("the MCP server answers %s", resp.Status)
	}
	if id := resp.Header.Get("Mcp-Session-Id"); id != "" {
		s.id = id
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(payload(body), into)
}

// payload returns the data of the last event, or the body itself.
func payload(body []byte) []byte {
	if i := bytes.LastIndex(body, []byte("data: ")); i >= 0 {
		body, _, _ = bytes.Cut(body[i+len("data: "):], []byte("\n"))
	}
	return body
}
