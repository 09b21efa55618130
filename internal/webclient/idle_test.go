package webclient

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestRestOf(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"timeout=5": 4 * time.Second, "timeout=3, max=100": 2 * time.Second, "max=100, Timeout=2": time.Second, "timeout=1": 0, "timeout=0": 0,
		"timeout=75": idleMost, "max=5": idleMost, "timeout=soon": idleMost, "timeout=-1": idleMost, "": idleMost,
	} {
		if got := idleLimit(value); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
	if got := new(idleLimits).most("server.example"); got != idleMost {
		t.Errorf("where nothing was said: %s", got)
	}
}

// counted is a server that says how long connections may rest. It counts them and the requests.
type counted struct {
	*httptest.Server
	opened, asked atomic.Int32
	meet          *sync.WaitGroup // requests that wait for each other; nil: none
}

func count(t *testing.T, keepAlive string, start func(*httptest.Server)) *counted {
	t.Helper()
	s := &counted{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		if s.meet != nil {
			s.meet.Done()
			s.meet.Wait()
		}
		w.Header().Set("Keep-Alive", keepAlive)
		_, _ = io.Copy(w, r.Body)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.opened.Add(1)
		}
	}
	start(s.Server)
	t.Cleanup(s.Close)
	return s
}

// trusting returns a client that takes the certificate of s.
func trusting(t *testing.T, s *counted) *http.Client {
	t.Helper()
	c, err := New(Options{Idle: 8, Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	if s.TLS != nil {
		c.Transport.(*named).next.Load().TLSClientConfig.RootCAs = s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	}
	return c
}

func post(t *testing.T, c *http.Client, url string, body io.Reader) {
	t.Helper()
	resp, err := c.Post(url, "text/plain", body)
	if err != nil {
		t.Error(err)
		return
	}
	if got, err := ReadBody(resp, 10); err != nil || string(got) != "once" {
		t.Errorf("%q, %v", got, err)
	}
}

// A connection that has rested for as long as its server lets it is not used again, whatever it is wrapped in; each
// request arrives once. One of HTTP/2 is.
func TestRestedConnectionIsNotUsed(t *testing.T) {
	secure := func(h2 bool) func(*httptest.Server) {
		return func(s *httptest.Server) { s.EnableHTTP2 = h2; s.StartTLS() }
	}
	const requests = 5
	for name, test := range map[string]struct {
		keepAlive string
		start     func(*httptest.Server)
		opened    int32
	}{
		"over":          {"timeout=1", (*httptest.Server).Start, requests},
		"over, TLS":     {"timeout=1", secure(false), requests},
		"over, HTTP/2":  {"timeout=1", secure(true), 1},
		"not over":      {"timeout=60", (*httptest.Server).Start, 1},
		"not over, TLS": {"timeout=60", secure(false), 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := count(t, test.keepAlive, test.start)
			c := trusting(t, s)
			for range requests {
				post(t, c, s.URL, strings.NewReader("once"))
			}
			if opened, asked := s.opened.Load(), s.asked.Load(); opened != test.opened || asked != requests {
				t.Errorf("%d connections for %d requests, want %d for %d", opened, asked, test.opened, requests)
			}
		})
	}
}

// After Renew a connection that was open before is not used again, though it has not rested.
func TestRenew(t *testing.T) {
	s := count(t, "timeout=60", (*httptest.Server).Start)
	c := trusting(t, s)
	for round := range int32(3) {
		for range 2 {
			post(t, c, s.URL, strings.NewReader("once"))
		}
		if opened := s.opened.Load(); opened != round+1 {
			t.Errorf("%d connections in round %d", opened, round)
		}
		Renew(c)
	}
	Renew(http.DefaultClient) // one of somebody else is left alone
}

// All connections of a burst may have rested when the next request comes.
func TestRestedPool(t *testing.T) {
	const burst = 4
	s := count(t, "timeout=1", (*httptest.Server).Start)
	c := trusting(t, s)
	s.meet = &sync.WaitGroup{}
	for range 2 {
		s.meet.Add(burst)
		var done sync.WaitGroup
		for range burst {
			done.Go(func() { post(t, c, s.URL, strings.NewReader("once")) })
		}
		done.Wait()
	}
	if opened, asked := s.opened.Load(), s.asked.Load(); opened != 2*burst || asked != 2*burst {
		t.Errorf("%d connections for %d requests", opened, asked)
	}
}

// A body that can be read once only takes its chance on the connection there is.
func TestRestedWithoutRepetition(t *testing.T) {
	s := count(t, "timeout=1", (*httptest.Server).Start)
	c := trusting(t, s)
	for range 2 {
		post(t, c, s.URL, io.MultiReader(strings.NewReader("once")))
	}
	if opened := s.opened.Load(); opened != 1 {
		t.Errorf("%d connections", opened)
	}
}
