package entra

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

// The fixed names of this world.
const (
	Host   = "login.microsoftonline.com"
	Tenant = "aaaabbbb-0000-cccc-1111-dddd2222eeee"
	Domain = "contoso.onmicrosoft.com" // another name of Tenant
	Client = "00001111-aaaa-2222-bbbb-3333cccc4444"
	Other  = "22223333-cccc-4444-dddd-5555eeee6666" // a second client of the tenant
	Issuer = "https://" + Host + "/" + Tenant + "/v2.0"
	Person = "adele.vance@contoso.com" // who signs in without a login_hint
)

// Options are what stays the same for the life of a World. The zero Options has two MCP servers.
type Options struct {
	Servers        int           // MCP servers at /mcp, /mcp2, ..., each with an app of its own; 0: two
	AccessTTL      time.Duration // life of an access token; 0: one hour
	RefreshIn      time.Duration // refresh_in of token responses; 0: left out
	RefreshTTL     time.Duration // how long a refresh token may rest (700082); 0: 90 days
	DeviceInterval time.Duration // least time between two polls, whole seconds; 0: one second
	RefreshSize    int           // length of a refresh token in bytes; 0: 1,600, which is what people have seen
	MCP            http.Handler  // what serves authorized requests; nil: JSON that says who is calling
	Now            func() time.Time
}

func (o Options) withDefaults() Options {
	o.Servers = cmp.Or(o.Servers, 2)
	o.AccessTTL = cmp.Or(o.AccessTTL, time.Hour)
	o.RefreshTTL = cmp.Or(o.RefreshTTL, 90*24*time.Hour)
	o.DeviceInterval = cmp.Or(o.DeviceInterval, time.Second)
	o.RefreshSize = cmp.Or(o.RefreshSize, 1600)
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// World is one tenant with its MCP servers. All methods may be called by any goroutine.
type World struct {
	opt     Options
	origin  string // of the MCP servers
	proxy   string
	control string
	certPEM []byte
	tunnels *tunnels

	mu         sync.Mutex
	machines   machines
	knobs      Behaviour
	stats      fakeworld.Stats
	tokenStore tokenStore

	servers []*http.Server
	once    sync.Once
}

// Start serves on loopback until Close.
func Start(o Options) (*World, error) {
	o = o.withDefaults()
	w := &World{opt: o, stats: fakeworld.NewStats(), tokenStore: newTokenStore(o)}
	certificate, certPEM, err := fakeworld.NewCertificate(Host)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	w.certPEM, w.tunnels = certPEM, newTunnels()
	var listeners []net.Listener
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, errors.Join(fmt.Errorf("listen on loopback: %w", err), w.Close())
		}
		listeners = append(listeners, l)
	}
	w.origin = "http://" + listeners[0].Addr().String()
	w.proxy = "http://" + listeners[1].Addr().String()
	w.control = "http://" + listeners[2].Addr().String()
	w.serve(listeners[0], w.resourceRoutes())
	w.serve(listeners[1], http.HandlerFunc(w.connect))
	w.serve(listeners[2], w.controlRoutes())
	w.serve(tls.NewListener(w.tunnels, &tls.Config{Certificates: []tls.Certificate{certificate}}), w.routes())
	return w, nil
}

func (w *World) serve(l net.Listener, h http.Handler) {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	w.servers = append(w.servers, s)
	go func() { _ = s.Serve(l) }()
}

// Close ends every connection and frees the ports.
func (w *World) Close() error {
	var errs []error
	w.once.Do(func() {
		for _, s := range w.servers {
			errs = append(errs, s.Close())
		}
		w.tunnels.end()
	})
	return errors.Join(errs...)
}

// ServerURL is the URL of the n-th MCP server, counted from 1.
func (w *World) ServerURL(n int) string { return w.origin + path(n) }

// ServerURLs are the URLs of all of them.
func (w *World) ServerURLs() []string {
	var out []string
	for n := 1; n <= w.opt.Servers; n++ {
		out = append(out, w.ServerURL(n))
	}
	return out
}

func path(n int) string {
	if n == 1 {
		return "/mcp"
	}
	return fmt.Sprintf("/mcp%d", n)
}

// AppURI is the App ID URI of the n-th MCP server's app.
func AppURI(n int) string {
	return fmt.Sprintf("api://%08d-1111-2222-3333-444455556666", 12345678*n%100000000)
}

// Scope is the scope that the n-th MCP server asks for.
func Scope(n int) string { return AppURI(n) + "/user_impersonation" }

// ControlURL is where /_control, /_stats and /_secrets are served.
func (w *World) ControlURL() string { return w.control }

// CertPEM is what a client has to trust.
func (w *World) CertPEM() []byte { return w.certPEM }

// ProxyURL is the proxy by which the sign-in host is reached.
func (w *World) ProxyURL() string { return w.proxy }

// Proxy is ProxyURL for http.Transport.Proxy; requests to loopback go straight.
func (w *World) Proxy(r *http.Request) (*url.URL, error) {
	if r.URL.Hostname() == "127.0.0.1" || r.URL.Hostname() == "localhost" {
		return nil, nil
	}
	return url.Parse(w.proxy)
}

// now is this world's clock, skew included. The caller holds w.mu.
func (w *World) now() time.Time { return w.opt.Now().Add(time.Duration(w.knobs.Skew)) }
