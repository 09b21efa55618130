// Package mcpserver is the MCP half of a protected server: two tools over Streamable HTTP. It leaves judging tokens to
// fakeworld, and is a package of its own because it links the MCP SDK.
package mcpserver

import (
	"context"
	"net/http"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

type said struct {
	Text string `json:"text"`
}

// Handler serves the tools echo (gives text back) and whoami (the fakeworld.Caller) to requests that fakeworld has let
// through; pass it as fakeworld.Options.MCP.
func Handler() http.Handler {
	s := mcp.NewServer(&mcp.Implementation{Name: "fakeworld", Version: "1"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "echo", Description: "gives text back"},
		func(_ context.Context, _ *mcp.CallToolRequest, in said) (*mcp.CallToolResult, said, error) {
			return nil, in, nil
		})
	mcp.AddTool(s, &mcp.Tool{Name: "whoami", Description: "says who is calling"},
		func(_ context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, fakeworld.Caller, error) {
			return nil, fakeworld.CallerFrom(req.Extra.Header), nil
		})
	return mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, nil)
}
