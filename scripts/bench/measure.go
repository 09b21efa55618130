package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"time"
)

// process is a process to measure. Its outputs go to the null device.
type process struct {
	name  string
	argv  []string // argv[0] is the absolute path of the program
	env   []string
	stdin string // a file; empty: the null device

	before func() // is done ahead of each start; nil: nothing
}

// pair compares b with a, which is the yardstick; limit 0 stands for none.
type pair struct {
	a, b  process
	limit float64
	least float64 // how many times as long b must take; 0: any
	slow  bool    // measured less often
}

// slowRuns are enough for a pair of slow programs.
const slowRuns = 10

// keeps reports whether a ratio is within the pair's limits.
func (p pair) keeps(ratio float64) bool {
	return (p.limit == 0 || ratio <= p.limit) && ratio >= p.least
}

// reading is what a pair took: medians.
type reading struct{ a, b time.Duration }

func (r reading) ratio() float64 { return float64(r.b) / float64(r.a) }

// warmups are not counted: the first processes of a program read it from the disk.
const warmups = 10

// measure takes a and b in turns, so that whatever else the machine does falls on both.
func measure(ctx context.Context, a, b process, runs int) (reading, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	var as, bs []time.Duration
	for i := range warmups + runs {
		ta, errA := a.once()
		tb, errB := b.once()
		if err := errors.Join(errA, errB, ctx.Err()); err != nil {
			return reading{}, err
		}
		if i >= warmups {
			as, bs = append(as, ta), append(bs, tb)
		}
	}
	return reading{median(as), median(bs)}, nil
}

// once runs the process from before its start to after its end.
func (s process) once() (time.Duration, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	in := null
	if s.stdin != "" {
		if in, err = os.Open(s.stdin); err != nil {
			return 0, err
		}
		defer in.Close()
	}
	if s.before != nil {
		s.before()
	}
	attr := &os.ProcAttr{Env: s.env, Files: []*os.File{in, null, null}}
	began := time.Now()
	p, err := os.StartProcess(s.argv[0], s.argv, attr)
	if err != nil {
		return 0, err
	}
	state, err := p.Wait()
	took := time.Since(began)
	if err == nil && !state.Success() {
		err = fmt.Errorf("%s: %s", s.name, state)
	}
	return took, err
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.3f", float64(d)/float64(time.Millisecond)) }
