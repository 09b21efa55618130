package dpop

import (
	"net/http"
	"sync"

	"github.com/mcp-credential/mcp-credential/credential"
)

// maxNonce bounds a nonce in bytes; a longer one is not taken.
const maxNonce = 1024

// Nonces remembers the newest nonce of each origin (RFC 9449 sections 8 and 9). Any goroutine may call it; the zero Nonces
// is empty.
type Nonces struct {
	mu     sync.Mutex
	newest map[string]string
}

// For returns the nonce for a request to url, "" where the server has named none.
func (n *Nonces) For(url string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.newest[credential.Origin(url)]
}

// Take remembers the nonce of an answer from url, whatever its status, and returns it: "" where it has none.
func (n *Nonces) Take(url string, answer http.Header) string {
	nonce := Nonce(answer)
	n.Put(url, nonce)
	return nonce
}

// Put remembers a nonce of url; an empty one changes nothing.
func (n *Nonces) Put(url, nonce string) {
	if nonce == "" {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.newest == nil {
		n.newest = map[string]string{}
	}
	n.newest[credential.Origin(url)] = nonce
}

// Nonce returns the nonce of an answer, "" where it has none.
func Nonce(answer http.Header) string {
	nonce := answer.Get("DPoP-Nonce")
	if len(nonce) > maxNonce {
		return ""
	}
	return nonce
}
