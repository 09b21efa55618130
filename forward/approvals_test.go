package forward

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// person answers questions when the test says so.
type person struct {
	mu       sync.Mutex
	approved map[string]bool
	shown    []string
	now      time.Time
	answer   chan error
}

func newPerson() (*person, *Approvals) {
	p := &person{approved: map[string]bool{}, now: time.Unix(1_800_000_000, 0), answer: make(chan error)}
	return p, &Approvals{
		Host:     "box",
		Approved: func(url string) (bool, error) { return locked(p, func() bool { return p.approved[url] }), nil },
		Approve:  func(url string) error { return locked(p, func() error { p.approved[url] = true; return nil }) },
		Show: func(ctx context.Context, url string) error {
			locked(p, func() error { p.shown = append(p.shown, url); return nil })
			select {
			case err := <-p.answer:
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		},
		Now: func() time.Time { return locked(p, func() time.Time { return p.now }) },
	}
}

func locked[T any](p *person, do func() T) T {
	p.mu.Lock()
	defer p.mu.Unlock()
	return do()
}

func (p *person) tabs() int { return locked(p, func() int { return len(p.shown) }) }

const brief = 10 * time.Millisecond

func TestAPersonIsAskedOnce(t *testing.T) {
	p, a := newPerson()
	check := func(url string, ask bool, want credential.Kind) {
		t.Helper()
		if err := a.Check(t.Context(), url, ask, brief); credential.KindOf(err) != want || err == nil {
			t.Errorf("%v, want %v", err, want)
		}
	}
	check(server, false, credential.NotApproved)
	for range 3 {
		check(server, true, credential.Prompting)
	}
	check(server+"/other", true, credential.Prompting) // one page at a time
	check(server, false, credential.NotApproved)
	done := make(chan error)
	go func() { done <- a.Check(t.Context(), server, true, time.Minute) }()
	p.answer <- nil
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := a.Check(t.Context(), server, false, 0); err != nil || p.tabs() != 1 {
		t.Errorf("%v; %d pages", err, p.tabs())
	}
}

// A host that asks for ever more servers opens no more pages than one in each cooldown.
func TestAnUnansweredPageRestsTheHost(t *testing.T) {
	p, a := newPerson()
	done := make(chan error)
	go func() { done <- a.Check(t.Context(), server, true, time.Minute) }()
	p.answer <- errors.New("nobody pressed the button")
	if err := <-done; credential.KindOf(err) != credential.NotApproved || !strings.Contains(err.Error(), "was not answered") {
		t.Error(err)
	}
	for _, url := range []string{server, server + "/2", server + "/3"} {
		if err := a.Check(t.Context(), url, true, brief); credential.KindOf(err) != credential.NotApproved {
			t.Error(err)
		}
	}
	if p.tabs() != 1 {
		t.Errorf("%d pages", p.tabs())
	}
	locked(p, func() error { p.now = p.now.Add(credential.PromptRest + time.Second); return nil })
	if err := a.Check(t.Context(), server, true, brief); credential.KindOf(err) != credential.Prompting {
		t.Error(err)
	}
	if p.answer <- nil; p.tabs() != 2 {
		t.Errorf("%d pages", p.tabs())
	}
}
