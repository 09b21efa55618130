// Package doctor checks everything that an access token needs on its way to a server, one thing after the other, so that of
// many consequences of one fault only the fault itself fails. It says what it saw and what helps, and never a secret; what
// is found is shown, and repaired, by its callers.
package doctor

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/mcp-credential/mcp-credential/credential"
)

// How a check ends.
const (
	OK   = "ok"
	Warn = "warn" // it works, or could not be checked
	Fail = "fail"
)

// Finding is the outcome of one check. It holds no secret, no name of a person and no path below the user's home that is
// not abbreviated.
type Finding struct {
	Check  string `json:"check"`
	Status string `json:"status"`
	Detail string `json:"detail"`
	Fix    string `json:"fix"`
}

// Check is one thing to look at. It runs when those named in After have run, and only where none of them has failed.
type Check struct {
	Name    string // what is looked at
	Subject string // which one, where there are several: a URL, a host
	After   []string
	Behind  []string // these run before it, however they end
	Run     func(ctx context.Context) Finding
}

// Title is the name by which After and Behind mean the check, and its Finding's.
func (c Check) Title() string { return strings.TrimSpace(c.Name + " " + c.Subject) }

// Run runs checks side by side and tells each finding in the order of checks, as soon as those before it are told. A check
// that is not finished within credential.DoctorTotal fails.
func Run(ctx context.Context, checks []Check, tell func(Check, Finding)) []Finding {
	ctx, cancel := context.WithTimeout(ctx, credential.DoctorTotal)
	defer cancel()
	outcomes := map[string]*outcome{}
	for _, c := range checks {
		outcomes[c.Title()] = &outcome{done: make(chan struct{})}
	}
	var all sync.WaitGroup
	for _, c := range checks {
		all.Go(func() { outcomes[c.Title()].set(one(ctx, c, outcomes)) })
	}
	var found []Finding
	for _, c := range checks {
		<-outcomes[c.Title()].done
		f := outcomes[c.Title()].finding
		found = append(found, f)
		tell(c, f)
	}
	all.Wait()
	return found
}

type outcome struct {
	done    chan struct{}
	finding Finding
	skipped bool // it was not looked at
}

func (o *outcome) set(f Finding, skipped bool) {
	o.finding, o.skipped = f, skipped
	close(o.done)
}

// one runs a check in its turn, and reports whether it had to be left out.
func one(ctx context.Context, c Check, outcomes map[string]*outcome) (Finding, bool) {
	for _, name := range slices.Concat(c.After, c.Behind) {
		o, ok := outcomes[name]
		if !ok {
			continue
		}
		<-o.done
		if slices.Contains(c.After, name) && (o.skipped || o.finding.Status == Fail) {
			return Finding{Check: c.Title(), Status: Warn, Detail: "not checked: it needs " + strings.TrimSuffix(name, " "+c.Subject)}, true
		}
	}
	result := make(chan Finding, 1)
	go func() { result <- c.Run(ctx) }()
	select {
	case f := <-result:
		f.Check = c.Title()
		f.Detail, f.Fix = credential.Printable(f.Detail, 1000), credential.Printable(f.Fix, 1000)
		return f, false
	case <-ctx.Done():
		return Finding{Check: c.Title(), Status: Fail, Detail: "not finished within " + credential.DoctorTotal.String(), Fix: "run mcp-credential doctor again when this machine is less busy"}, false
	}
}

// Failed reports whether any finding is a failure.
func Failed(all []Finding) bool {
	return slices.ContainsFunc(all, func(f Finding) bool { return f.Status == Fail })
}

func ok(detail string) Finding        { return Finding{Status: OK, Detail: detail} }
func warn(detail, fix string) Finding { return Finding{Status: Warn, Detail: detail, Fix: fix} }
func fail(detail, fix string) Finding { return Finding{Status: Fail, Detail: detail, Fix: fix} }
