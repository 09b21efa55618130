package state

import (
	"slices"
	"time"
)

// Forward is another machine that this one answers over a forward.
type Forward struct {
	Host    string            `json:"host"`             // as the person here calls it
	Folder  string            `json:"folder,omitempty"` // where the sockets of forwards are there; empty: unknown
	Servers []ForwardedServer `json:"servers"`          // whose tokens a person has approved for it
}

// ForwardedServer is a server whose tokens another machine may have.
type ForwardedServer struct {
	URL        string    `json:"url"` // canonical
	ApprovedAt time.Time `json:"approved_at"`
}

// Has reports whether the tokens of a server are approved.
func (f Forward) Has(url string) bool {
	return slices.ContainsFunc(f.Servers, func(s ForwardedServer) bool { return s.URL == url })
}

// Forwards are the records of other machines that this one answers.
type Forwards struct{ Records }

// To returns the record of a machine, or ErrNone.
func (b Forwards) To(host string) (Forward, error) {
	var f Forward
	err := b.read(&f, "forwards", fileName(host))
	if err == nil && f.Host != host {
		return Forward{}, ErrNone
	}
	return f, err
}

// Put replaces the record of f.Host.
func (b Forwards) Put(f Forward) error { return b.write(f, "forwards", fileName(f.Host)) }

// All returns every record. Unreadable ones are left out and named in the error.
func (b Forwards) All() ([]Forward, error) { return readAll[Forward](b.Records, "forwards") }
