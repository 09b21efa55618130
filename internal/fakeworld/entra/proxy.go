package entra

import (
	"net"
	"net/http"
	"sync"
)

// tunnels is a listener whose connections come from the proxy.
type tunnels struct {
	arrive chan net.Conn
	done   chan struct{}
	once   sync.Once
}

func newTunnels() *tunnels { return &tunnels{arrive: make(chan net.Conn), done: make(chan struct{})} }

// Accept waits for the next tunnel.
func (t *tunnels) Accept() (net.Conn, error) {
	select {
	case c := <-t.arrive:
		return c, nil
	case <-t.done:
		return nil, net.ErrClosed
	}
}

// Close is called by the http.Server.
func (t *tunnels) Close() error { t.end(); return nil }

// Addr is no address: nothing can be dialled here.
func (t *tunnels) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func (t *tunnels) end() { t.once.Do(func() { close(t.done) }) }

// connect is the proxy: it takes CONNECT for the sign-in host and hands the connection over.
func (w *World) connect(rw http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect || r.Host != Host+":443" {
		w.count("PROXY " + r.Host)
		http.Error(rw, "this proxy leads to "+Host+" only", http.StatusBadGateway)
		return
	}
	conn, _, err := rw.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	if _, err := conn.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n")); err != nil {
		_ = conn.Close()
		return
	}
	select {
	case w.tunnels.arrive <- conn:
	case <-w.tunnels.done:
		_ = conn.Close()
	}
}

func (w *World) count(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stats.HTTP[name]++
}
