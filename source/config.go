package source

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/wait"
)

// Config is what the sources of this module depend on besides their targets. Client is required.
type Config struct {
	Client *http.Client                                     // of internal/webclient
	Direct *http.Client                                     // likewise without a proxy, for the services of a machine; nil: there are none
	Trace  func(string)                                     // told each step, without secrets; nil: nobody
	Now    func() time.Time                                 // nil: time.Now
	Sleep  func(ctx context.Context, d time.Duration) error // returns ctx's error when that ends first; nil: a timer
	Jitter func() float64                                   // in [0,1); nil: math/rand/v2
}

// WithDefaults returns c with what its comments say in place of every nil but the clients.
func (c Config) WithDefaults() Config {
	if c.Trace == nil {
		c.Trace = func(string) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Sleep == nil {
		c.Sleep = wait.Sleep
	}
	if c.Jitter == nil {
		c.Jitter = rand.Float64
	}
	return c
}
