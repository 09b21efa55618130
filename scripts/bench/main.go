// Command bench measures what a warm get costs: whole processes, from start to end, against an empty Go program that was
// built with the same flags, against itself under conditions that must make no difference, and from 100 callers at once. Then what a bridge costs:
// in a client of ours and in the Inspector, each beside the same client without it, and beside mcp-remote, where npm has
// fetched these. Then how long a refresh has the only copy of a sign-in in memory, with each keychain that is there. Building the measured programs is left to
// make.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
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
	if len(args) > 0 && args[0] == clientRole {
		return playClient(ctx, args[1:])
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	bin := flags.String("bin", "bin", "folder with the built programs")
	runs := flags.Int("runs", 2*leastRuns, "processes of each kind")
	peer := flags.String("peer", filepath.Join("scripts", "conformance", "node_modules"), "folder with npm's packages: the Inspector and mcp-remote")
	strict := flags.Bool("strict", false, "fail where a limit is broken")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *runs < leastRuns {
		return fmt.Errorf("-runs must be at least %d", leastRuns)
	}
	f, err := newGetBench(ctx, *bin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.clear()) }()
	b, err := newBridgeBench(ctx, *bin, *peer)
	if err != nil {
		return err
	}
	defer b.clear()
	fmt.Fprintf(out, "medians of %d whole processes in ms, each pair taken in turns; %s, %s/%s, %d CPUs\n\n",
		*runs, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	slow, err := measureAll(ctx, f, b, *runs, out)
	if err == nil && slow > 0 && *strict {
		err = fmt.Errorf("%d limits are broken", slow)
	}
	return err
}

// measureAll prints what a warm get costs, what a bridge costs and how long a refresh can be killed at a loss, and returns how many limits are broken.
func measureAll(ctx context.Context, f *getBench, b *bridgeBench, runs int, out io.Writer) (slow int, err error) {
	if slow, err = table(ctx, f.pairs(), runs, out); err != nil {
		return slow, err
	}
	for _, text := range f.missing {
		fmt.Fprintln(out, text)
	}
	crowded, err := f.reportCrowd(ctx, runs, out)
	if err != nil {
		return slow, err
	}
	slow += crowded
	pairs, err := b.starts()
	if err != nil {
		return slow, err
	}
	fmt.Fprint(out, "\nfrom the start of a client to its first list of tools, with a warm token\n\n")
	more, err := table(ctx, pairs, runs, out)
	if err != nil {
		return slow, err
	}
	calls, err := b.report(ctx, runs, out)
	if err != nil {
		return slow + more, err
	}
	lost, err := (&windowBench{b: b}).report(ctx, runs, out)
	return slow + more + calls + lost, err
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
func table(ctx context.Context, pairs []pair, runs int, out io.Writer) (slow int, err error) {
	const row = "%-28s %8s   %-28s %8s  %6s  %s\n"
	fmt.Fprintf(out, row, "this", "ms", "against this", "ms", "ratio", "limit")
	for _, p := range pairs {
		var r reading
		n := 0
		times := runs
		if p.slow {
			times = min(runs, slowRuns)
		}
		for ok := false; !ok && n < attempts; n++ {
			if r, err = measure(ctx, p.a, p.b, times); err != nil {
				return slow, err
			}
			ok = p.keeps(r.ratio())
		}
		verdict := p.verdict(r)
		if !p.keeps(r.ratio()) {
			slow++
		}
		if n > 1 {
			verdict += fmt.Sprintf(" (measured %d times)", n)
		}
		fmt.Fprintf(out, row, p.b.name, ms(r.b), p.a.name, ms(r.a), fmt.Sprintf("%.2f", r.ratio()), verdict)
	}
	return slow, nil
}

func (p pair) verdict(r reading) string {
	text := "-"
	switch {
	case p.limit > 0:
		text = fmt.Sprintf("%.2f", p.limit)
	case p.least > 0:
		text = fmt.Sprintf("at least %.2f", p.least)
	}
	if !p.keeps(r.ratio()) {
		text += " BROKEN"
	}
	return text
}
