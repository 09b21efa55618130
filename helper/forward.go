package helper

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/wait"
	"github.com/mcp-credential/mcp-credential/state"
)

// This file is about forwards. At the end that asks, the machine at the other end is a Machine: its tokens are cached, locked and
// refreshed ahead as those of machine identities. At the end that answers, Forwards keeps what a person has approved.

// ForwardedKind is what a token from the other end of a forward is called among the machine identities.
const ForwardedKind = "forwarded"

// Forwarder is a Machine that hands the whole question on, to the machine at the other end of a forward. Nobody calls its Token.
type Forwarder interface {
	Machine
	// Forward asks there, and waits until ctx ends. Of errors, those that it has from there say so with their kind.
	Forward(ctx context.Context, a Ask) (credential.Token, error)
}

// forwarder is the forward that answers a question instead of a sign-in of this home; nil: none does. One that has ended still
// answers for what came by it: with a cached token, and else with the news.
func (h machines) forwarder(a Ask) Machine {
	if h.Forward == nil || a.Quiet || a.vouches {
		return nil
	}
	m, live := h.Forward(a.Query)
	before := func(rec state.Machine) bool { return rec.Kind == ForwardedKind && !rec.LastRefresh.IsZero() }
	if live || slices.ContainsFunc(records(h).machinesAt(a.Query.URL), before) {
		return m
	}
	return nil
}

// forwardPause is how long somebody who waits for a person at the other end waits between two questions.
const forwardPause = time.Second

// forwarded is get for a Forwarder. Under the record's lock nobody is asked there; a person is outside it, so that others learn at
// once that somebody has to sign in. Who joins a sign-in asks for as long as that is open.
func (h machines) forwarded(ctx context.Context, a Ask, m Forwarder) (credential.Token, error) {
	quiet := a
	quiet.Prompt = false
	t, err := h.get(ctx, quiet, m)
	if !a.Prompt || h.Silent || !needsPerson(err) {
		return t, elsewhere(err)
	}
	asking, cancel := context.WithDeadline(ctx, a.until)
	defer cancel()
	for {
		h.Trace("forward: asking for a token; a person may be asked there")
		_, err := m.Forward(asking, a)
		if err == nil {
			quiet.until = time.Now().Add(credential.WaitDefault)
			t, err = h.get(ctx, quiet, m) // which keeps it for others
			return t, elsewhere(err)
		}
		if !a.Join || credential.KindOf(err) != credential.Prompting || wait.Sleep(asking, forwardPause) != nil {
			return t, elsewhere(err)
		}
	}
}

func needsPerson(err error) bool {
	return needsSignIn(err) || credential.KindOf(err) == credential.Prompting
}

// elsewhere marks an error that has to be cured at the other end of a forward.
func elsewhere(err error) error {
	var typed *credential.Error
	if errors.As(err, &typed) && (needsPerson(err) || typed.Kind >= credential.Refused) {
		typed.Forwarded = true
	}
	return err
}

// Forwards are the machines that this one answers over forwards, and what a person has approved for each.
type Forwards struct{ *Helper }

// Approved reports whether a person has approved that a machine gets tokens for a server.
func (h Forwards) Approved(host, url string) (bool, error) {
	f, err := state.Forwards{Records: h.Records}.To(host)
	if errors.Is(err, state.ErrNone) {
		return false, nil
	}
	return f.Has(url), err
}

// Approve records that a person has approved that.
func (h Forwards) Approve(host, url string) error {
	return h.change(host, func(f *state.Forward) {
		if !f.Has(url) {
			f.Servers = append(f.Servers, state.ForwardedServer{URL: url, ApprovedAt: h.Now()})
		}
	})
}

// Place records where the sockets of forwards are on a machine; empty: nobody knows.
func (h Forwards) Place(host, folder string) error {
	return h.change(host, func(f *state.Forward) { f.Folder = folder })
}

func (h Forwards) change(host string, do func(*state.Forward)) error {
	return h.locked(context.Background(), "forwards", credential.LockShort, func() error {
		f, err := state.Forwards{Records: h.Records}.To(host)
		if err != nil && !errors.Is(err, state.ErrNone) {
			return err
		}
		f.Host = host
		do(&f)
		return state.Forwards{Records: h.Records}.Put(f)
	})
}

// to lists the machines that are approved for a server.
func (h Forwards) to(url string) []string {
	all, err := state.Forwards{Records: h.Records}.All()
	if err != nil {
		h.Warn(err.Error())
	}
	var hosts []string
	for _, f := range all {
		if f.Has(url) {
			hosts = append(hosts, f.Host)
		}
	}
	slices.Sort(hosts)
	return hosts
}

// forget takes back what was approved for a server, or everything where url is empty, on every machine.
func (h Forwards) forget(url string) error {
	all, bad := state.Forwards{Records: h.Records}.All()
	for _, f := range all {
		if url != "" && !f.Has(url) || len(f.Servers) == 0 {
			continue
		}
		bad = errors.Join(bad, h.change(f.Host, func(f *state.Forward) {
			f.Servers = slices.DeleteFunc(f.Servers, func(s state.ForwardedServer) bool { return url == "" || s.URL == url })
		}))
	}
	return bad
}
