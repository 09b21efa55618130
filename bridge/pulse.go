package bridge

import (
	"net/http"
	"sync/atomic"
	"time"
)

// pulse remembers when the server was last heard of over HTTP/1.1. There a server closes a connection that nothing uses,
// many after 5 s (Node, uvicorn), and a request that crosses the close on its way has failed and may not be repeated.
// HTTP/2 announces its end (RFC 9113 section 6.8).
type pulse struct {
	last atomic.Int64 // in nanoseconds since born; 0: never, or over HTTP/2
}

// born makes times comparable whatever happens to the clock.
var born = time.Now()

// idleMost is how long the connections may have been idle for the next request to use one.
const idleMost = 4 * time.Second

// freshen closes connections that are too old for a request.
func (p *pulse) freshen(c *http.Client) {
	if last := p.last.Load(); last != 0 && time.Since(born)-time.Duration(last) > idleMost {
		c.CloseIdleConnections()
	}
}

// beat notes an answer, or with nil nothing.
func (p *pulse) beat(resp *http.Response) {
	switch {
	case resp == nil:
	case resp.ProtoMajor == 1:
		p.last.Store(int64(time.Since(born)))
	default:
		p.last.Store(0)
	}
}
