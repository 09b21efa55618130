package webclient

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Over HTTP/1.1 a server closes a connection that nothing uses, many after 5 s (Node, uvicorn), and a POST that crosses
// the close on its way has failed and may not be repeated. No connection is therefore used that has rested for idleMost,
// or for as long as the server has said less idleMargin. A longer time is not believed: it may be that of a server
// behind a proxy with less patience. HTTP/2 announces its end (RFC 9113 section 6.8), so that idleTime holds there.
const (
	idleMost   = 4 * time.Second
	idleMargin = time.Second
)

// idleLimits remembers how long connections to a host may rest, where that is less than idleMost. The zero idleLimits is empty.
type idleLimits struct{ said sync.Map }

// note takes up what an answer says about its connection.
func (r *idleLimits) note(resp *http.Response) {
	if value := resp.Header.Get("Keep-Alive"); value != "" && resp.ProtoMajor == 1 {
		r.said.Store(resp.Request.URL.Host, idleLimit(value))
	}
}

func (r *idleLimits) most(host string) time.Duration {
	if said, ok := r.said.Load(host); ok {
		return said.(time.Duration)
	}
	return idleMost
}

// idleLimit reads "timeout=5, max=100" (RFC 2068 section 19.7.1.1; Node sends it).
func idleLimit(value string) time.Duration {
	for part := range strings.SplitSeq(value, ",") {
		name, number, _ := strings.Cut(strings.TrimSpace(part), "=")
		seconds, err := strconv.ParseUint(number, 10, 31)
		if err == nil && strings.EqualFold(name, "timeout") {
			return min(max(time.Duration(seconds)*time.Second-idleMargin, 0), idleMost)
		}
	}
	return idleMost
}

// trace has r sent on another connection where it got one that has rested for too long: that one breaks before a byte of
// r is written, which is when net/http itself takes the next one or dials. What it could not send again is left alone.
func (r *idleLimits) trace(req *http.Request) *httptrace.ClientTrace {
	most := r.most(req.URL.Host)
	again := req.Body == nil || req.Body == http.NoBody || req.GetBody != nil
	return &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
		if !again || !got.WasIdle || got.IdleTime < most {
			return
		}
		if c := dialedConn(got.Conn); c != nil {
			_ = c.Close()
		}
	}}
}

// dialed marks a connection as made here: what net/http lends to a trace must not be closed, the connection below it may be closed.
type dialed struct{ net.Conn }

// dialedConn returns the connection that c speaks HTTP/1.1 over; nil where it speaks HTTP/2.
func dialedConn(c net.Conn) *dialed {
	for {
		switch layer := c.(type) {
		case *dialed:
			return layer
		case *tls.Conn:
			if layer.ConnectionState().NegotiatedProtocol == "h2" {
				return nil
			}
			c = layer.NetConn()
		default:
			return nil
		}
	}
}
