package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"time"
)

// The crowd of callers that ask at the same time.
const (
	crowd      = 100 // callers, each of which starts its next process when the last one has ended
	crowdLimit = 3   // the 99th percentile against what the processors allow
	crowdCalls = 10  // processes of each caller, at most
)

// together runs a process from many callers at once, and returns the 99th percentile of what one took, and what that would be if
// nothing but the processors were shared: the time of one process by itself, for each caller, divided by the processors.
func (p process) together(ctx context.Context, runs int) (p99, allowed time.Duration, err error) {
	alone, err := measure(ctx, p, p, runs/4+1)
	if err != nil {
		return 0, 0, err
	}
	took, errs := make([][]time.Duration, crowd), make([]error, crowd)
	var callers sync.WaitGroup
	for i := range crowd {
		callers.Go(func() {
			for range min(crowdCalls, runs) {
				one, err := p.once()
				if err != nil || ctx.Err() != nil {
					errs[i] = errors.Join(err, ctx.Err())
					return
				}
				took[i] = append(took[i], one)
			}
		})
	}
	callers.Wait()
	all := slices.Sorted(slices.Values(slices.Concat(took...)))
	if err := errors.Join(errs...); err != nil {
		return 0, 0, err
	}
	return all[len(all)*99/100], alone.a * crowd / time.Duration(min(runtime.NumCPU(), crowd)), nil
}

// reportCrowd tells what a warm get takes when many ask at once.
func (f *getBench) reportCrowd(ctx context.Context, runs int, out io.Writer) (broken int, err error) {
	get := process{name: "get", argv: []string{f.front, "get", serverURL(0)}, env: f.environ(many)}
	var p99, allowed time.Duration
	for n, ok := 0, false; !ok && n < attempts; n++ {
		if p99, allowed, err = get.together(ctx, runs); err != nil {
			return 0, err
		}
		ok = p99 <= crowdLimit*allowed
	}
	ratio := float64(p99) / float64(allowed)
	fmt.Fprintf(out, "\n%d callers at once, each %d warm gets: 99 of 100 take at most %s ms; the processors allow %s ms, ratio %.2f%s\n",
		crowd, min(crowdCalls, runs), ms(p99), ms(allowed), ratio, verdict(ratio <= crowdLimit, fmt.Sprint(crowdLimit), &broken))
	return broken, nil
}
