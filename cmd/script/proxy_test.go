package script

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// freePort: freeport NAME sets NAME to a port that nobody has at this moment.
func freePort(ts *testscript.TestScript, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: freeport NAME")
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], fmt.Sprint(l.Addr().(*net.TCPAddr).Port))
	ts.Check(l.Close())
}

// startProxy: proxy FILE starts a proxy that reaches nothing: it appends "METHOD TARGET" of each request to FILE and
// answers 502. It sets PROXY to its URL.
func startProxy(ts *testscript.TestScript, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: proxy FILE")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	log, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	var mu sync.Mutex
	s := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(log, r.Method, r.RequestURI)
		w.WriteHeader(http.StatusBadGateway)
	})}
	go func() { _ = s.Serve(l) }()
	ts.Defer(func() {
		_ = s.Close()
		_ = log.Close()
	})
	ts.Setenv("PROXY", "http://"+l.Addr().String())
}
