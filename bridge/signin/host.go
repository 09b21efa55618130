package signin

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
	"github.com/mcp-credential/mcp-credential/internal/wait"
)

// Host is the MCP host as a way to a person: it shows addresses (URL mode elicitation) and log messages.
type Host struct {
	out    *jsonrpc.Writer
	prefix string // of the identifiers of our requests: random, so that they are never those of a request of the server

	mu       sync.Mutex
	elicits  bool
	ready    chan struct{} // closed when the host has finished the handshake
	level    string        // the least severe log message that the host wants; empty: any
	requests int
	pending  map[string]chan jsonrpc.Message
}

// NewHost returns a Host that reads what is written to out.
func NewHost(out *jsonrpc.Writer) *Host {
	return &Host{out: out, prefix: "mcp-credential-" + rand.Text() + "-", pending: map[string]chan jsonrpc.Message{}, ready: make(chan struct{})}
}

// Initialize notes what the host says of itself as it begins the handshake.
func (h *Host) Initialize(params jsonrpc.Object) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.elicits = params.Get("capabilities", "elicitation", "url") != nil
	if h.isReady() {
		h.ready = make(chan struct{})
	}
}

// Initialized notes that the handshake is over: before, a server should not ask the host (MCP lifecycle, "Initialization").
func (h *Host) Initialized() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.isReady() {
		close(h.ready)
	}
}

// isReady reports whether the handshake is over. The caller holds mu.
func (h *Host) isReady() bool {
	select {
	case <-h.ready:
		return true
	default:
		return false
	}
}

// awaitReady waits until the handshake is over, no longer than that.
func (h *Host) awaitReady(ctx context.Context, most time.Duration) {
	h.mu.Lock()
	ready := h.ready
	h.mu.Unlock()
	_ = wait.For(ctx, ready, most)
}

// SetLevel notes the host's logging/setLevel.
func (h *Host) SetLevel(level string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.level = level
}

// canElicit reports whether the host shows addresses to people, and whether it may be asked yet.
func (h *Host) canElicit() (able, ready bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.elicits, h.isReady()
}

// levels are those of MCP's logging, the least severe first.
var levels = []string{"debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"}

// Notify says something as an MCP log message, once the host may get some and at a level that it wants.
func (h *Host) Notify(level, text string) {
	h.mu.Lock()
	wanted := h.isReady() && slices.Index(levels, level) >= slices.Index(levels, h.level)
	h.mu.Unlock()
	if wanted {
		h.out.Send(jsonrpc.NewNotification("notifications/message", struct {
			Level  string `json:"level"`
			Logger string `json:"logger"`
			Data   string `json:"data"`
		}{level, "mcp-credential", text}))
	}
}

// TakeResponse takes a response of the host to one of our requests, and reports whether m is one.
func (h *Host) TakeResponse(m jsonrpc.Message) bool {
	id, _ := jsonrpc.Text(m.ID)
	if !strings.HasPrefix(id, h.prefix) {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if response := h.pending[id]; response != nil {
		delete(h.pending, id)
		response <- m
	}
	return true
}

// request returns an identifier of ours, and where the response to it will be.
func (h *Host) request() (string, chan jsonrpc.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests++
	id, response := h.prefix+strconv.Itoa(h.requests), make(chan jsonrpc.Message, 1)
	h.pending[id] = response
	return id, response
}

// elicit has the host show an address (MCP 2025-11-25, URL mode elicitation). It returns nil when the person has agreed to
// open it; that says nothing about what becomes of the sign-in.
func (h *Host) elicit(ctx context.Context, url, message string) (id string, err error) {
	id, response := h.request()
	h.out.Send(jsonrpc.NewRequest(id, "elicitation/create", struct {
		Mode    string `json:"mode"`
		ID      string `json:"elicitationId"`
		URL     string `json:"url"`
		Message string `json:"message"`
	}{"url", id, url, message}))
	select {
	case m := <-response:
		switch {
		case m.Result == nil:
			return id, ErrNotShown
		case jsonrpc.Members(m.Result).Text("action") != "accept":
			return id, errors.New("the person has declined")
		}
		return id, nil
	case <-ctx.Done():
		return id, ctx.Err()
	}
}

// elicited tells the host that the person is done.
func (h *Host) elicited(id string) {
	h.out.Send(jsonrpc.NewNotification("notifications/elicitation/complete", struct {
		ID string `json:"elicitationId"`
	}{id}))
}
