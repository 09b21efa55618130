package core

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/mcp-credential/mcp-credential/cmd/call"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/forward"
	"github.com/mcp-credential/mcp-credential/helper"
	"github.com/mcp-credential/mcp-credential/internal/browser"
	"github.com/mcp-credential/mcp-credential/internal/loopback"
)

type forwardCmd struct {
	common
	Host   string `help:"What to call the machine at the other end." placeholder:"NAME" required:""`
	Socket string `arg:"" help:"Socket to make, in a folder that is yours alone."`
}

// Run answers at a socket until stdin ends.
func (c forwardCmd) Run(ctx context.Context, s streams) error {
	host, err := checkHost(c.Host)
	if err == nil {
		err = absolute(&c.Socket)
	}
	if err != nil {
		return err
	}
	a, err := newAnswering(c.common, s, host)
	if err != nil {
		return err
	}
	l, err := forward.Listen(c.Socket)
	if err != nil {
		return err
	}
	call.Say(s.err, "answering "+host+" at "+c.Socket+" until stdin ends")
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, s.in)
		cancel()
	}()
	return a.serve(ctx, l)
}

func checkHost(name string) (string, error) {
	if name == "" || !credential.CheckLabel(name) {
		return "", credential.Fail(credential.Usage, "the name of a machine is 1 to 200 printable characters", nil)
	}
	return name, nil
}

// answering answers another machine over a forward, as the person approves.
type answering struct {
	common    common
	streams   streams
	approvals *forward.Approvals
}

func newAnswering(c common, s streams, host string) (*answering, error) {
	w, err := wire(c, s)
	if err == nil {
		err = w.helper.Records.Writable()
	}
	if err != nil {
		return nil, err
	}
	forwards := helper.Forwards{Helper: w.helper}
	return &answering{common: c, streams: s, approvals: &forward.Approvals{
		Host:     host,
		Approved: func(url string) (bool, error) { return forwards.Approved(host, url) },
		Approve:  func(url string) error { return forwards.Approve(host, url) },
		Show: func(ctx context.Context, url string) error {
			w.trace("forward: asking whether " + host + " may have tokens for " + url)
			return loopback.Confirm(ctx, loopback.Question{Server: url, Host: host}, "", func(url string) error { return browser.Open(ctx, url, osGetenv) })
		},
		Now: time.Now,
	}}, nil
}

func (a *answering) serve(ctx context.Context, l net.Listener) error {
	return forward.Server{Answer: a.answer, Now: time.Now}.Serve(ctx, l)
}

// answer answers one question with what this home has, as it is now.
func (a *answering) answer(ctx context.Context, r forward.Request) (credential.Token, error) {
	w, err := wire(a.common, a.streams)
	if err == nil {
		err = w.broken
	}
	if err != nil {
		return credential.Token{}, err
	}
	w.helper.Forward = nil // a machine does not hand on what it got over a forward
	end := time.Now().Add(r.Wait)
	prompt := r.Prompt && w.prompt("", r.Server) && browser.Reachable(osGetenv)
	if err := a.approvals.Check(ctx, r.Server, prompt, r.Wait); err != nil {
		return credential.Token{}, err
	}
	ctx, cancel := context.WithDeadline(ctx, end.Add(credential.ForwardLine))
	defer cancel()
	return get(ctx, w, r, helper.Ask{
		Query:  credential.Query{URL: r.Server, Account: r.Account, ClientID: r.ClientID, Scopes: r.Scopes, Principal: call.Principal(osGetenv)},
		Prompt: prompt, Wait: max(time.Until(end), 0), Scopes: r.Need, Claims: r.Claims,
	})
}

// get asks the helper. The token that was refused at the other end comes as a fingerprint: where the one here has another, that serves.
func get(ctx context.Context, w *wiring, r forward.Request, ask helper.Ask) (credential.Token, error) {
	began := time.Now()
	if r.Refused != "" {
		t, err := w.helper.Get(ctx, ask)
		if err != nil || t.Access.Fingerprint() != r.Refused {
			return t, err
		}
		ask.Refused, ask.Wait = t.Access, max(ask.Wait-time.Since(began), 0)
	}
	ask.Force = r.Force
	t, err := w.helper.Get(ctx, ask)
	if errors.Is(err, context.DeadlineExceeded) {
		err = &credential.Error{Kind: credential.StillRefreshing, Server: r.Server, Text: "the token for " + r.Server + " was not there in time"}
	}
	return t, err
}
