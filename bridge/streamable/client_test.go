package streamable

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
	"github.com/mcp-credential/mcp-credential/bridge/token"
	"github.com/mcp-credential/mcp-credential/credential"
)

// newClient returns a Client without tokens, and what the host reads.
func newClient(t *testing.T, url string, c *http.Client) (*Client, *io.PipeReader) {
	t.Helper()
	r, w := io.Pipe()
	t.Cleanup(func() { r.Close() })
	tokens := token.NewCache(t.Context(), token.Config{Now: time.Now})
	return New(t.Context(), Config{
		URL: url, HTTP: c, Tokens: tokens, Token: func(context.Context, token.Need) (credential.Token, error) { return credential.Token{}, nil },
		Out: jsonrpc.NewWriter(w), Limit: jsonrpc.Limit{Size: 1 << 20}, Ready: func() {}, Log: func(string) {}, Now: time.Now,
		Retry: time.Millisecond, MaxRetryAfter: time.Second, Handshake: time.Second, Shutdown: time.Second,
	}), r
}

// A call goes out as it is, and the answer comes back as it is.
func TestSend(t *testing.T) {
	const line, answer = `{"id":1,"jsonrpc":"2.0","method":"tools/call", "params":{"name":"x"}}`, `{"result":{ "a":1e2 },"id":1,"jsonrpc":"2.0"}`
	f := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); string(body) != line || err != nil {
			t.Errorf("the server got %s, %v", body, err)
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, answer)
	}))
	defer f.Close()
	c, r := newClient(t, f.URL, f.Client())
	m, err := jsonrpc.Parse([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	call := c.Begin(&m)
	sent := make(chan error, 1)
	go func() {
		sent <- c.Send(call)
		c.End(call)
	}()
	got := make([]byte, len(answer)+1)
	if _, err := io.ReadFull(r, got); string(got) != answer+"\n" || err != nil {
		t.Errorf("the host got %s, %v", got, err)
	}
	if err := <-sent; err != nil || len(call.Pending()) != 0 {
		t.Errorf("%v, pending %s", err, call.Pending())
	}
	c.Wait(10 * time.Second)
	if c.calls.find(m.ID) != nil {
		t.Error("the call is still under way")
	}
}

// transport is that of an HTTP client in the hands of a test.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// What net/http has tried to write to a connection that was gone, and then could not send on another one, was not sent.
func TestUnsentAfterAll(t *testing.T) {
	for _, last := range []bool{false, true} {
		c, _ := newClient(t, "http://server.example/mcp", &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			trace := httptrace.ContextClientTrace(r.Context())
			trace.GetConn("")
			trace.WroteHeaders()
			trace.GetConn("")
			if last {
				trace.WroteHeaders()
			}
			return nil, io.EOF
		})})
		call := newCall(t.Context(), &jsonrpc.Message{})
		_, err := c.request(call, http.MethodPost).attempt(t.Context(), credential.Token{}, session{})
		if sent := call.sent.Load(); sent != last || err == nil {
			t.Errorf("sent is %v, %v", sent, err)
		}
	}
}

// New connections include the server's stream, where there is one.
func TestReconnect(t *testing.T) {
	var streams atomic.Int32
	opened := make(chan struct{}, 9)
	f := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/%d\"}\n\n", streams.Add(1))
		w.(http.Flusher).Flush()
		opened <- struct{}{}
		<-r.Context().Done()
	}))
	defer f.Close()
	defer f.CloseClientConnections()
	c, r := newClient(t, f.URL, &http.Client{Transport: &http.Transport{}})
	go func() { _, _ = io.Copy(io.Discard, r) }()
	c.Reconnect()
	if n := streams.Load(); n != 0 {
		t.Fatalf("%d streams, and none was started", n)
	}
	c.listener.start(c)
	for range 2 {
		select {
		case <-opened:
		case <-time.After(10 * time.Second):
			t.Fatal("the stream is not opened")
		}
		c.Reconnect()
	}
}

// A server that has no stream to speak on unasked is believed.
func TestNoStream(t *testing.T) {
	for status, opened := range map[int]bool{http.StatusMethodNotAllowed: true, http.StatusNotImplemented: true, http.StatusNotFound: false, http.StatusBadRequest: false} {
		if !noStream(status, opened) {
			t.Errorf("%d, opened before %v: asked again", status, opened)
		}
	}
}

// The time to try again is for a server that is away: what a token took is not taken off it.
func TestRetryBeginsWithTheFailure(t *testing.T) {
	c, _ := newClient(t, "http://127.0.0.1", nil)
	c.Retry = time.Hour
	r := request{Client: c, attempts: attempts{pause: time.Millisecond}}
	again, err := r.retry(t.Context(), c.fail(0, "away", nil))
	if !again || err != nil || time.Until(r.until) < 59*time.Minute {
		t.Errorf("again %v, %v, until %s", again, err, r.until)
	}
}
