package bridge

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
	"github.com/mcp-credential/mcp-credential/bridge/token"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/webclient"
)

// patience bounds every wait of these tests; one that takes so long has failed.
const patience = 10 * time.Second

// rig is a bridge under test with the host's ends of its pipes.
type rig struct {
	t     *testing.T
	in    *io.PipeWriter
	lines chan string
	ended chan error
	stop  context.CancelFunc
	once  sync.Once
}

// run starts a bridge. Fields of c that a test does not set are small and quick.
func run(t *testing.T, c Config) *rig {
	t.Helper()
	if c.Client == nil {
		c.Client = client(t)
	}
	if c.Log == nil {
		c.Log = func(s string) {
			if t.Log("log:", s); strings.Contains(s, "has slept") {
				t.Error("this machine has not")
			}
		}
	}
	if c.Shutdown == 0 {
		c.Shutdown = 200 * time.Millisecond
	}
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	r := &rig{t: t, in: inW, lines: make(chan string, 4096), ended: make(chan error, 1), stop: cancel}
	c.In, c.Out = inR, outW
	var quiet sync.RWMutex // t.Log after the end of a test is a panic
	log, over := c.Log, false
	c.Log = func(s string) {
		quiet.RLock()
		defer quiet.RUnlock()
		if !over {
			log(s)
		}
	}
	go func() {
		r.ended <- Run(ctx, c)
		outW.Close()
	}()
	go func() {
		in := bufio.NewReaderSize(outR, 1<<20)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				close(r.lines)
				return
			}
			r.lines <- strings.TrimSuffix(line, "\n")
		}
	}()
	t.Cleanup(func() {
		r.finish()
		quiet.Lock()
		over = true
		quiet.Unlock()
	})
	return r
}

func client(t *testing.T) *http.Client {
	t.Helper()
	c, err := webclient.New(webclient.Options{Idle: 32, Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// finish ends stdin and waits for the bridge.
func (r *rig) finish() {
	r.once.Do(func() {
		r.in.Close()
		select {
		case err := <-r.ended:
			if err != nil {
				r.t.Errorf("the bridge ended with %v", err)
			}
		case <-time.After(patience):
			r.t.Error("the bridge does not end")
		}
		r.stop()
	})
}

func (r *rig) send(lines ...string) {
	r.t.Helper()
	for _, line := range lines {
		if _, err := io.WriteString(r.in, line+"\n"); err != nil {
			r.t.Fatal(err)
		}
	}
}

// next returns the next line that the host sees.
func (r *rig) next() string {
	r.t.Helper()
	select {
	case line, ok := <-r.lines:
		if !ok {
			r.t.Fatal("the bridge has ended")
		}
		return line
	case <-time.After(patience):
		r.t.Fatal("the host got nothing")
	}
	return ""
}

// want checks the next lines exactly.
func (r *rig) want(lines ...string) {
	r.t.Helper()
	for _, want := range lines {
		if got := r.next(); got != want {
			r.t.Fatalf("the host got %.300s\nwant %.300s", got, want)
		}
	}
}

// holds checks that the next line contains each text.
func (r *rig) holds(texts ...string) string {
	r.t.Helper()
	line := r.next()
	for _, text := range texts {
		if !strings.Contains(line, text) {
			r.t.Fatalf("the host got %.400s\nwithout %s", line, text)
		}
	}
	return line
}

// silent checks that nothing is on its way to the host any more once the bridge has ended.
func (r *rig) silent() {
	r.t.Helper()
	r.finish()
	for line := range r.lines {
		r.t.Errorf("the host got %.300s", line)
	}
}

// hello does the handshake with a server that fake or real answers it.
func (r *rig) hello(capabilities string) {
	r.t.Helper()
	r.send(initialize(capabilities))
	r.holds(`"id":"hello"`, `"result"`)
	r.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
}

func initialize(capabilities string) string {
	return `{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":` + capabilities + `,"clientInfo":{"name":"test","version":"1"}}}`
}

const welcome = `{"jsonrpc":"2.0","id":"hello","result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"fake","version":"1"}}}`

func call1(id, tool string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"method":"tools/call","params":{"name":"` + tool + `","arguments":{}}}`
}

func result(id, text string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"result":{"content":[{"type":"text","text":"` + text + `"}]}}`
}

// arrival is one request as the fake server saw it.
type arrival struct {
	method string
	header http.Header
	body   string
	m      jsonrpc.Message
}

// fake is an MCP server in the hands of a test. What its function leaves unanswered gets the plain answer.
type fake struct {
	*httptest.Server
	mu   sync.Mutex
	seen []arrival
	on   func(w http.ResponseWriter, r *http.Request, a arrival) bool
}

func serve(t *testing.T, on func(w http.ResponseWriter, r *http.Request, a arrival) bool) *fake {
	t.Helper()
	f := &fake{on: on}
	f.Server = httptest.NewServer(f)
	t.Cleanup(func() {
		f.CloseClientConnections()
		f.Close()
	})
	return f
}

// serveAt is serve at an address where nothing has listened yet.
func serveAt(t *testing.T, place string, on func(w http.ResponseWriter, r *http.Request, a arrival) bool) {
	t.Helper()
	l, err := net.Listen("tcp", place)
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{on: on}
	server := &http.Server{Handler: f}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
}

func (f *fake) url() string { return f.URL + "/mcp" }

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	a := arrival{method: r.Method, header: r.Header.Clone(), body: string(body)}
	if len(body) > 0 {
		a.m, _ = jsonrpc.Parse(body)
	}
	f.mu.Lock()
	f.seen = append(f.seen, a)
	f.mu.Unlock()
	if f.on != nil && f.on(w, r, a) {
		return
	}
	switch {
	case r.Method == http.MethodGet:
		w.WriteHeader(http.StatusMethodNotAllowed)
	case a.m.Kind == jsonrpc.Request && a.m.Method == "initialize":
		w.Header().Set("Mcp-Session-Id", "session-1")
		answer(w, welcome)
	case a.m.Kind == jsonrpc.Request:
		answer(w, result(string(a.m.ID), "ok"))
	case r.Method == http.MethodPost:
		w.WriteHeader(http.StatusAccepted)
	}
}

func answer(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, body)
}

// stream writes events and flushes each.
func stream(w http.ResponseWriter, events ...string) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, e := range events {
		_, _ = io.WriteString(w, e)
		w.(http.Flusher).Flush()
	}
}

// arrivals returns what the server has seen of a method ("POST tools/call", "GET", "DELETE").
func (f *fake) arrivals(what string) []arrival {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []arrival
	for _, a := range f.seen {
		if name := strings.TrimSpace(a.method + " " + a.m.Method); name == what {
			out = append(out, a)
		}
	}
	return out
}

// eventually polls until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

// vault is a token.Source that a test fills.
type vault struct {
	mu    sync.Mutex
	asks  int
	needs []token.Need
	give  func(n token.Need, ask int) (credential.Token, error)
}

func (v *vault) Token(_ context.Context, n token.Need) (credential.Token, error) {
	v.mu.Lock()
	v.asks++
	v.needs = append(v.needs, n)
	ask := v.asks
	v.mu.Unlock()
	return v.give(n, ask)
}

func (v *vault) asked() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.asks
}

func (v *vault) refusals() (out []token.Need) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, n := range v.needs {
		if n != (token.Need{}) {
			out = append(out, n)
		}
	}
	return out
}

// good is a token that is valid for an hour.
func good(text string) credential.Token { return lasting(text, time.Hour) }

func lasting(text string, life time.Duration) credential.Token { return since(time.Now(), text, life) }

func since(now time.Time, text string, life time.Duration) credential.Token {
	return credential.Token{Access: credential.NewSecret(text), Type: "Bearer", Obtained: now, Expiry: now.Add(life), RefreshAt: now.Add(life * 4 / 5)}
}

// guarded answers 401 unless the request carries the token.
func guarded(w http.ResponseWriter, a arrival, token string) bool {
	if a.header.Get("Authorization") == "Bearer "+token {
		return false
	}
	w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	w.WriteHeader(http.StatusUnauthorized)
	return true
}
