package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld/mcphost"
)

// caller is a client's connection to an MCP server: through a bridge, or direct.
type caller interface {
	Call(ctx context.Context, method string, params any) (json.RawMessage, error)
	Notify(method string, params any) error
}

// clientRole makes a child of this program the client of a measurement: client stdio COMMAND... or client direct HELPER
// URL, which asks the helper for the token. It ends with the first answer to tools/list.
const clientRole = "client"

// revision is what the client speaks.
const revision = "2025-11-25"

func playClient(ctx context.Context, args []string) error {
	if len(args) < 3 {
		return errors.New("client needs a way, a program and an argument")
	}
	if args[0] == "direct" {
		token, err := exec.CommandContext(ctx, args[1], "get", args[2]).Output()
		if err != nil {
			return err
		}
		return initialize(ctx, newDirect(args[2], strings.TrimSpace(string(token))))
	}
	h, err := mcphost.Start(exec.CommandContext(ctx, args[1], args[2:]...), nil)
	if err != nil {
		return err
	}
	return initialize(ctx, h) // the bridge ends with this process; that is not measured
}

// initialize does the handshake and lists the tools.
func initialize(ctx context.Context, c caller) error {
	_, err := c.Call(ctx, "initialize", map[string]any{"protocolVersion": revision, "capabilities": map[string]any{},
		"clientInfo": map[string]any{"name": "bench", "version": "1"}})
	if err == nil {
		err = c.Notify("notifications/initialized", nil)
	}
	if err != nil {
		return err
	}
	tools, err := c.Call(ctx, "tools/list", map[string]any{})
	if err == nil && !bytes.Contains(tools, []byte(`"echo"`)) {
		err = errors.New("the tools are not those of the server")
	}
	return err
}

// direct speaks Streamable HTTP as far as the measurement needs it. It serves one goroutine.
type direct struct {
	client  *http.Client
	url     string
	headers http.Header
	last    int
}

func newDirect(url, token string) *direct {
	h := http.Header{}
	h.Set("Authorization", "Bearer "+token)
	h.Set("Content-Type", "application/json")
	h.Set("Accept", "application/json, text/event-stream")
	return &direct{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}, url: url, headers: h}
}

func (d *direct) Call(ctx context.Context, method string, params any) (json.RawMessage, error) {
	d.last++
	body, err := d.post(ctx, map[string]any{"jsonrpc": "2.0", "id": d.last, "method": method, "params": params})
	if err != nil {
		return nil, err
	}
	_, data, found := bytes.Cut(body, []byte("data: "))
	if !found {
		data = body
	}
	var m struct {
		Result json.RawMessage
		Error  *mcphost.Error
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, err
	}
	if m.Error != nil {
		return nil, m.Error
	}
	return m.Result, nil
}

func (d *direct) Notify(method string, params any) error {
	_, err := d.post(context.Background(), map[string]any{"jsonrpc": "2.0", "method": method})
	return err
}

func (d *direct) post(ctx context.Context, message map[string]any) ([]byte, error) {
	text, err := json.Marshal(message)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	req.Header = d.headers
	resp, err := d.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return nil, fmt.Errorf("the server answers %s", resp.Status)
	}
	if id := resp.Header.Get("Mcp-Session-Id"); id != "" {
		d.headers.Set("Mcp-Session-Id", id)
		d.headers.Set("Mcp-Protocol-Version", revision)
	}
	return io.ReadAll(resp.Body)
}
