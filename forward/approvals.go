package forward

import (
	"context"
	"sync"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// Approvals has a person say once for each server whether a host may have its tokens. At most one question is open at a time,
// and after one that nobody has answered none is asked for credential.PromptRest: a host can ask for any number of servers.
type Approvals struct {
	Host     string
	Approved func(url string) (bool, error)
	Approve  func(url string) error
	Show     func(ctx context.Context, url string) error // asks; nil is a yes
	Now      func() time.Time

	mu   sync.Mutex
	open *question
	rest time.Time // nobody is asked before
}

type question struct {
	url  string
	done chan struct{}
	err  error // once done is closed
}

// Check returns nil where the tokens of a server are approved for the host. Where they are not and ask is set, a person is asked, for
// whose answer this call waits at most so long, and the question stays open until ctx ends or credential.SignInTotal is over.
// Errors are of the kinds NotApproved and Prompting.
func (a *Approvals) Check(ctx context.Context, url string, ask bool, wait time.Duration) error {
	if ok, err := a.Approved(url); ok || err != nil {
		return err
	}
	host := credential.Printable(a.Host, 200)
	if !ask {
		return a.fail(credential.NotApproved, url, "nobody has approved yet that "+host+" gets tokens for "+url+"; the page that asks opens there with the next call that may ask a person")
	}
	q, err := a.question(ctx, url)
	if err != nil {
		return err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-q.done:
		return q.err
	case <-timer.C:
	case <-ctx.Done():
	}
	return a.fail(credential.Prompting, url, "a page in the browser there asks whether "+host+" may have tokens for "+url)
}

// question joins the question for url that is open, or opens one.
func (a *Approvals) question(ctx context.Context, url string) (*question, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.open != nil && a.open.url == url:
		return a.open, nil
	case a.open != nil:
		return nil, a.fail(credential.Prompting, url, "a page in the browser there asks about another server; answer that first")
	case a.Now().Before(a.rest):
		return nil, a.fail(credential.NotApproved, url, "nobody has answered the page that asked less than "+credential.PromptRest.String()+" ago")
	}
	a.open = &question{url: url, done: make(chan struct{})}
	go a.ask(ctx, a.open)
	return a.open, nil
}

func (a *Approvals) ask(ctx context.Context, q *question) {
	ctx, cancel := context.WithTimeout(ctx, credential.SignInTotal)
	defer cancel()
	q.err = a.Show(ctx, q.url)
	if q.err == nil {
		q.err = a.Approve(q.url)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if q.err != nil {
		a.rest = a.Now().Add(credential.PromptRest)
		q.err = a.fail(credential.NotApproved, q.url, "the page that asks was not answered: "+q.err.Error())
	}
	a.open = nil
	close(q.done)
}

func (a *Approvals) fail(kind credential.Kind, url, text string) error {
	return &credential.Error{Kind: kind, Server: url, Text: text}
}
