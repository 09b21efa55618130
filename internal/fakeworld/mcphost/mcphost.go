// Package mcphost is the host's half of a stdio MCP server: it starts the server, asks, and answers what the server asks
// of it. What to say it leaves to its callers; it is for tests and measurements.
package mcphost

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"time"
)

// Answer answers a request of the server with a result or an *Error, and hears its notifications, whose answer goes
// nowhere. It may be called by many goroutines.
type Answer func(method string, params json.RawMessage) (any, error)

// Error is a JSON-RPC error.
// Error is the error of a JSON-RPC answer.
type Error struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data,omitempty"`
}

// Error says what the server said.
func (e *Error) Error() string { return fmt.Sprintf("%s (%d)", e.Message, e.Code) }

// Host is a running server seen from its host. Its methods may be called by many goroutines.
type Host struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	answer Answer

	mu      sync.Mutex
	last    int
	waiting map[int]chan message
	ended   chan struct{}
}

type message struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  any             `json:"params,omitempty"`
	Result  any             `json:"result,omitempty"`
	Error   *Error          `json:"error,omitempty"`
}

// received is a message whose values are left as they came.
type received struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *Error          `json:"error"`
}

// ErrEnded says that the server has closed its stdout.
var ErrEnded = errors.New("the server has ended")

// Start starts cmd, whose stdin and stdout become the transport. answer nil refuses every request.
func Start(cmd *exec.Cmd, answer Answer) (*Host, error) {
	if answer == nil {
		answer = func(string, json.RawMessage) (any, error) { return nil, &Error{Code: -32601, Message: "not here"} }
	}
	h := &Host{cmd: cmd, answer: answer, waiting: map[int]chan message{}, ended: make(chan struct{})}
	out, err := cmd.StdoutPipe()
	if err == nil {
		h.stdin, err = cmd.StdinPipe()
	}
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	go h.read(out)
	return h, nil
}

func (h *Host) read(out io.Reader) {
	defer close(h.ended)
	in := bufio.NewReaderSize(out, 64<<10)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var m received
		if json.Unmarshal(line, &m) == nil {
			h.take(m)
		}
	}
}

func (h *Host) take(m received) {
	if m.Method != "" {
		go h.serve(m)
		return
	}
	var id int
	if json.Unmarshal(m.ID, &id) != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.waiting[id]; c != nil {
		delete(h.waiting, id)
		c <- message{Result: m.Result, Error: m.Error}
	}
}

func (h *Host) serve(m received) {
	result, err := h.answer(m.Method, m.Params)
	if m.ID == nil {
		return
	}
	reply := message{ID: m.ID, Result: result}
	if err != nil {
		if reply.Result = nil; !errors.As(err, &reply.Error) {
			reply.Error = &Error{Code: -32603, Message: err.Error()}
		}
	}
	_ = h.send(reply)
}

func (h *Host) send(m message) error {
	m.Version = "2.0"
	line, err := json.Marshal(m)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err = h.stdin.Write(append(line, '\n'))
	return err
}

// Call asks the server and waits for its answer; an *Error is what the server says itself.
func (h *Host) Call(ctx context.Context, method string, params any) (json.RawMessage, error) {
	answer := make(chan message, 1)
	h.mu.Lock()
	h.last++
	id := h.last
	h.waiting[id] = answer
	h.mu.Unlock()
	if err := h.send(message{ID: fmt.Append(nil, id), Method: method, Params: params}); err != nil {
		return nil, err
	}
	select {
	case m := <-answer:
		if m.Error != nil {
			return nil, m.Error
		}
		result, _ := m.Result.(json.RawMessage)
		return result, nil
	case <-h.ended:
		return nil, ErrEnded
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Notify tells the server something.
func (h *Host) Notify(method string, params any) error {
	return h.send(message{Method: method, Params: params})
}

// Initialize does the handshake of the revisions with sessions.
func (h *Host) Initialize(ctx context.Context, version string, capabilities map[string]any) (json.RawMessage, error) {
	result, err := h.Call(ctx, "initialize", map[string]any{"protocolVersion": version, "capabilities": capabilities,
		"clientInfo": map[string]any{"name": "mcphost", "version": "1"}})
	if err != nil {
		return nil, err
	}
	return result, h.Notify("notifications/initialized", nil)
}

// patience is what the end of a server may take before it is killed.
const patience = 5 * time.Second

// Close ends the server as a host does, by the end of its stdin, and waits for it.
func (h *Host) Close() error {
	err := h.stdin.Close()
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-h.ended:
	case <-t.C:
		_ = h.cmd.Process.Kill()
		<-h.ended
	}
	return errors.Join(err, h.cmd.Wait())
}
