package fakeworld

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// World is one authorization server with its protected servers. All methods may be called by any goroutine.
type World struct {
	opt     Options
	issuer  string
	origin  string
	control string
	keys    signer

	mu     sync.Mutex
	knobs  Knobs
	stats  Stats
	ledger ledger

	servers []*http.Server
	closed  chan struct{}
	once    sync.Once
}

// Start listens on three loopback ports (authorization server, protected servers, control) and serves until Close.
func Start(o Options) (*World, error) {
	o = o.withDefaults()
	keys, err := newSigner()
	if err != nil {
		return nil, err
	}
	w := &World{opt: o, keys: keys, stats: newStats(), ledger: newLedger(o), closed: make(chan struct{})}
	for _, part := range []struct {
		url    *string
		routes func() *http.ServeMux
	}{
		{&w.issuer, w.authorizationRoutes},
		{&w.origin, w.resourceRoutes},
		{&w.control, w.controlRoutes},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			w.Close()
			return nil, fmt.Errorf("listen on loopback: %w", err)
		}
		*part.url = "http://" + l.Addr().String()
		w.listen(l, part.routes())
	}
	w.issuer += o.IssuerPath
	return w, nil
}

func (w *World) listen(l net.Listener, h http.Handler) {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	w.servers = append(w.servers, s)
	go func() { _ = s.Serve(l) }()
}

// Close ends every connection and frees the ports.
func (w *World) Close() error {
	var errs []error
	w.once.Do(func() {
		close(w.closed)
		for _, s := range w.servers {
			errs = append(errs, s.Close())
		}
	})
	return errors.Join(errs...)
}

// ServerURL is the URL of the first protected MCP server.
func (w *World) ServerURL() string { return w.origin + w.opt.Paths[0] }

// ServerURLs are the URLs of all of them, in the order of Options.Paths.
func (w *World) ServerURLs() []string {
	var out []string
	for _, p := range w.opt.Paths {
		out = append(out, w.origin+p)
	}
	return out
}

// Issuer is the issuer identifier of the authorization server.
func (w *World) Issuer() string { return w.issuer }

// ControlURL is where /_control, /_stats and /_secrets are served.
func (w *World) ControlURL() string { return w.control }

// now is the server's clock, skew included. The caller holds w.mu.
func (w *World) now() time.Time { return w.opt.Now().Add(time.Duration(w.knobs.Skew)) }

// pause waits for d, and reports whether the client and the world are still there.
func (w *World) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-w.closed:
	}
	return false
}
