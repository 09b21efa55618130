package source

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"
)

// Means is what the sources of this module depend on besides their targets. Client is required.
type Means struct {
	Client *http.Client                                     // of internal/webclient
	Near   *http.Client                                     // likewise without a proxy, for the services of a machine; nil: there are none
	Trace  func(string)                                     // told each step, without secrets; nil: nobody
	Now    func() time.Time                                 // nil: time.Now
	Sleep  func(ctx context.Context, d time.Duration) error // returns ctx's error when that ends first; nil: a timer
	Jitter func() float64                                   // in [0,1); nil: math/rand/v2
}

// Complete returns m with what its comments say in place of every nil but the clients.
func (m Means) Complete() Means {
	if m.Trace == nil {
		m.Trace = func(string) {}
	}
	if m.Now == nil {
		m.Now = time.Now
	}
	if m.Sleep == nil {
		m.Sleep = sleep
	}
	if m.Jitter == nil {
		m.Jitter = rand.Float64
	}
	return m
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
