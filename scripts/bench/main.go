// Command bench measures what a warm get costs: whole processes, from start to end, against an empty Go program that was
// built with the same flags, and against itself under conditions that must make no difference. Building the measured
// program is left to make.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// leastRuns is how many processes a median stands on at least.
const leastRuns = 100

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	bin := flags.String("bin", "bin", "folder with the built programs")
	runs := flags.Int("runs", 2*leastRuns, "processes of each kind")
	strict := flags.Bool("strict", false, "fail where a limit is broken")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *runs < leastRuns {
		return fmt.Errorf("-runs must be at least %d", leastRuns)
	}
	f, err := newField(ctx, *bin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.clear()) }()
	fmt.Fprintf(out, "medians of %d whole processes in ms, each pair taken in turns; %s, %s/%s, %d CPUs\n\n",
		*runs, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	slow, err := f.table(ctx, *runs, out)
	if err == nil && slow > 0 && *strict {
		err = fmt.Errorf("%d limits are broken", slow)
	}
	return err
}

// The limits, as ratios of medians.
const (
	startLimit = 1.6 // a warm get against an empty program
	alikeLimit = 1.1 // a condition that must make no difference
)

// attempts is how often a pair may be measured until it keeps its limit: whatever else the machine does only ever adds
// to a ratio of programs this short.
const attempts = 3

// table measures every pair and returns how many limits are broken.
func (f *field) table(ctx context.Context, runs int, out io.Writer) (slow int, err error) {
	const row = "%-26s %8s   %-26s %8s  %6s  %s\n"
	fmt.Fprintf(out, row, "this", "ms", "against this", "ms", "ratio", "limit")
	for _, p := range f.pairs() {
		var r reading
		n := 0
		for ok := false; !ok && n < attempts; n++ {
			if r, err = measure(ctx, p.a, p.b, runs); err != nil {
				return slow, err
			}
			ok = p.limit == 0 || r.ratio() <= p.limit
		}
		verdict := p.verdict(r)
		if p.limit > 0 && r.ratio() > p.limit {
			slow++
		}
		if n > 1 {
			verdict += fmt.Sprintf(" (measured %d times)", n)
		}
		fmt.Fprintf(out, row, p.b.name, ms(r.b), p.a.name, ms(r.a), fmt.Sprintf("%.2f", r.ratio()), verdict)
	}
	for _, text := range f.missing {
		fmt.Fprintln(out, text)
	}
	return slow, nil
}

func (p pair) verdict(r reading) string {
	switch {
	case p.limit == 0:
		return "-"
	case r.ratio() > p.limit:
		return fmt.Sprintf("%.2f BROKEN", p.limit)
	}
	return fmt.Sprintf("%.2f", p.limit)
}
