//lint:file-ignore SA1019 what MCP 2026-07-28 deprecates passes through the bridge all the same

package bridge

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// sdkServer is an MCP server by the official SDK whose tools use every way back to the host.
func sdkServer(opt *mcp.StreamableHTTPOptions) http.Handler {
	s := mcp.NewServer(&mcp.Implementation{Name: "sdk", Version: "1"}, &mcp.ServerOptions{
		SubscribeHandler:   func(context.Context, *mcp.SubscribeRequest) error { return nil },
		UnsubscribeHandler: func(context.Context, *mcp.UnsubscribeRequest) error { return nil },
	})
	tool := func(name string, do func(ctx context.Context, req *mcp.CallToolRequest) (string, error)) {
		mcp.AddTool(s, &mcp.Tool{Name: name}, func(ctx context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
			text, err := do(ctx, req)
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, err
		})
	}
	tool("progress", func(ctx context.Context, req *mcp.CallToolRequest) (string, error) {
		for i := range 3 {
			err := req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: req.Params.GetProgressToken(), Progress: float64(i)})
			if err != nil {
				return "", err
			}
		}
		return "done", nil
	})
	tool("sample", func(ctx context.Context, req *mcp.CallToolRequest) (string, error) {
		r, err := req.Session.CreateMessage(ctx, &mcp.CreateMessageParams{MaxTokens: 1})
		if err != nil {
			return "", err
		}
		return r.Content.(*mcp.TextContent).Text, nil
	})
	tool("elicit", func(ctx context.Context, req *mcp.CallToolRequest) (string, error) {
		r, err := req.Session.Elicit(ctx, &mcp.ElicitParams{Message: "?", RequestedSchema: map[string]any{"type": "object"}})
		if err != nil {
			return "", err
		}
		return r.Action, nil
	})
	tool("roots", func(ctx context.Context, req *mcp.CallToolRequest) (string, error) {
		r, err := req.Session.ListRoots(ctx, nil)
		if err != nil {
			return "", err
		}
		return r.Roots[0].URI, nil
	})
	tool("touch", func(ctx context.Context, _ *mcp.CallToolRequest) (string, error) {
		return "touched", s.ResourceUpdated(ctx, &mcp.ResourceUpdatedNotificationParams{URI: "mem://a"})
	})
	s.AddResource(&mcp.Resource{Name: "a", URI: "mem://a"}, func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: "mem://a", Text: "contents"}}}, nil
	})
	s.AddPrompt(&mcp.Prompt{Name: "p"}, func(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		return &mcp.GetPromptResult{Description: "prompted"}, nil
	})
	return mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, opt)
}

// heard is what a host was told unasked.
type heard struct {
	progress chan float64
	updated  chan string
}

// sdkHost connects the official SDK's client to a bridge over pipes.
func sdkHost(ctx context.Context, t *testing.T, url, version string) (*mcp.ClientSession, heard) {
	t.Helper()
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, Config{URL: url, Client: client(t), In: inR, Out: outW, Shutdown: 200 * time.Millisecond})
		outW.Close()
	}()
	h := heard{make(chan float64, 10), make(chan string, 10)}
	host := mcp.NewClient(&mcp.Implementation{Name: "host", Version: "1"}, &mcp.ClientOptions{
		CreateMessageHandler: func(context.Context, *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
			return &mcp.CreateMessageResult{Content: &mcp.TextContent{Text: "sampled"}, Model: "m", Role: "assistant"}, nil
		},
		ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			return &mcp.ElicitResult{Action: "accept"}, nil
		},
		ProgressNotificationHandler: func(_ context.Context, r *mcp.ProgressNotificationClientRequest) { h.progress <- r.Params.Progress },
		ResourceUpdatedHandler:      func(_ context.Context, r *mcp.ResourceUpdatedNotificationRequest) { h.updated <- r.Params.URI },
	})
	host.AddRoots(&mcp.Root{URI: "file:///root"})
	s, err := host.Connect(ctx, &mcp.IOTransport{Reader: outR, Writer: inW}, &mcp.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		inW.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s, h
}

// A host and a server by the official SDK notice no bridge between them, whatever they speak.
func TestBetweenSDKs(t *testing.T) {
	for _, c := range []struct {
		version string
		opt     *mcp.StreamableHTTPOptions
		asks    bool // the server may ask the host
	}{
		{"2025-11-25", nil, true},
		{"2025-11-25", &mcp.StreamableHTTPOptions{EventStore: mcp.NewMemoryEventStore(nil)}, true},
		{"2025-11-25", &mcp.StreamableHTTPOptions{JSONResponse: true}, false},
		{"2025-06-18", nil, true},
		{"2025-03-26", nil, true},
		{"2026-07-28", &mcp.StreamableHTTPOptions{Stateless: true}, false},
	} {
		t.Run(c.version, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			server := httptest.NewServer(sdkServer(c.opt))
			t.Cleanup(func() {
				server.CloseClientConnections()
				server.Close()
			})
			s, h := sdkHost(ctx, t, server.URL, c.version)
			if v := s.InitializeResult().ProtocolVersion; v != c.version {
				t.Errorf("they speak %s", v)
			}
			reads(ctx, t, s)
			if c.opt == nil || !c.opt.JSONResponse {
				progresses(ctx, t, s, h)
			}
			if c.asks {
				asks(ctx, t, s)
				subscribes(ctx, t, s, h)
			}
		})
	}
}

func reads(ctx context.Context, t *testing.T, s *mcp.ClientSession) {
	t.Helper()
	if tools, err := s.ListTools(ctx, nil); err != nil || len(tools.Tools) != 5 {
		t.Fatalf("%v %v", tools, err)
	}
	if r, err := s.ReadResource(ctx, &mcp.ReadResourceParams{URI: "mem://a"}); err != nil || r.Contents[0].Text != "contents" {
		t.Errorf("%v %v", r, err)
	}
	if r, err := s.GetPrompt(ctx, &mcp.GetPromptParams{Name: "p"}); err != nil || r.Description != "prompted" {
		t.Errorf("%v %v", r, err)
	}
}

// use calls a tool and returns its text.
func use(ctx context.Context, t *testing.T, s *mcp.ClientSession, p *mcp.CallToolParams) string {
	t.Helper()
	r, err := s.CallTool(ctx, p)
	if err != nil || len(r.Content) != 1 {
		t.Fatalf("%s: %v %v", p.Name, r, err)
	}
	return r.Content[0].(*mcp.TextContent).Text
}

func progresses(ctx context.Context, t *testing.T, s *mcp.ClientSession, h heard) {
	t.Helper()
	p := &mcp.CallToolParams{Name: "progress"}
	p.SetProgressToken("token")
	if got := use(ctx, t, s, p); got != "done" {
		t.Error(got)
	}
	for want := range 3 {
		select {
		case got := <-h.progress:
			if got != float64(want) {
				t.Errorf("progress %v, want %d", got, want)
			}
		case <-ctx.Done():
			t.Fatal("no progress")
		}
	}
}

func asks(ctx context.Context, t *testing.T, s *mcp.ClientSession) {
	t.Helper()
	for tool, want := range map[string]string{"sample": "sampled", "elicit": "accept", "roots": "file:///root"} {
		if got := use(ctx, t, s, &mcp.CallToolParams{Name: tool}); got != want {
			t.Errorf("%s: %s", tool, got)
		}
	}
}

// subscribes hears of a change on the stream that the bridge keeps open, which may take a moment to be so.
func subscribes(ctx context.Context, t *testing.T, s *mcp.ClientSession, h heard) {
	t.Helper()
	if err := s.Subscribe(ctx, &mcp.SubscribeParams{URI: "mem://a"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "an update", func() bool {
		use(ctx, t, s, &mcp.CallToolParams{Name: "touch"})
		select {
		case uri := <-h.updated:
			return uri == "mem://a"
		case <-time.After(50 * time.Millisecond):
			return false
		}
	})
}
