package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// windowLimit is how long the only copy of a rotated refresh token may be in memory alone.
const windowLimit = 3 * time.Millisecond

// windowRuns is how many refreshes of each store are enough.
const windowRuns = 50

// windowBench measures the time in which a killed refresh loses its sign-in: from the last byte of the server's answer until
// the rotated refresh token is durable. The program says it itself.
type windowBench struct {
	b     *bridgeBench
	ended []func()
}

// keychainStore is a keychain that the refreshes of a home of its own use.
type keychainStore struct {
	name string // for MCPCRED_STORE
	home string
	env  []string
}

// window is what one refresh took, from the last byte of the answer.
type window struct{ durable, stored time.Duration }

// report measures every store that this machine has, and returns how many limits are broken.
func (w *windowBench) report(ctx context.Context, runs int, out io.Writer) (slow int, err error) {
	defer w.clear()
	const row = "%-28s %8s %8s %8s %8s  %s\n"
	fmt.Fprint(out, "\nfrom the last byte of a server's answer until the rotated refresh token is durable, as the program traces it; then until the keychain has it\n\n")
	fmt.Fprintf(out, row, "keychain", "ms", "9 of 10", "longest", "stored", "limit")
	for _, open := range []func(context.Context) (keychainStore, error){w.file, w.pass, w.secretService} {
		store, err := open(ctx)
		if err != nil {
			fmt.Fprintf(out, "not measured: %v\n", err)
			continue
		}
		var durable, stored []time.Duration
		n := 0
		for ok := false; !ok && n < attempts; n++ {
			if durable, stored, err = w.measure(ctx, store, min(runs, windowRuns)); err != nil {
				return slow, err
			}
			ok = median(durable) <= windowLimit
		}
		verdict := ms(windowLimit)
		if median(durable) > windowLimit {
			slow++
			verdict += " BROKEN"
		}
		if n > 1 {
			verdict += fmt.Sprintf(" (measured %d times)", n)
		}
		fmt.Fprintf(out, row, store.name, ms(median(durable)), ms(nineOfTen(durable)), ms(slices.Max(durable)), ms(median(stored)), verdict)
	}
	return slow, nil
}

// nineOfTen is what nine of ten keep to. The limit is one of the median, because a disk that others write to is late at times.
func nineOfTen(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)*9/10]
}

// measure signs in and refreshes so many times.
func (w *windowBench) measure(ctx context.Context, s keychainStore, runs int) (durable, stored []time.Duration, err error) {
	for range runs {
		one, err := w.refresh(ctx, s)
		if err != nil {
			return nil, nil, err
		}
		durable, stored = append(durable, one.durable), append(stored, one.stored)
	}
	return durable, stored, nil
}

// refresh refuses the cached token and has the core replace it, in the foreground.
func (w *windowBench) refresh(ctx context.Context, s keychainStore) (window, error) {
	token, _, err := w.run(ctx, s, w.b.program(), "get", w.b.world.url)
	if err != nil {
		return window{}, err
	}
	refused := credential.NewSecret(strings.TrimSpace(token)).Fingerprint()
	core := filepath.Join(w.b.bin, exe("mcp-credential-core"))
	_, trace, err := w.run(ctx, s, core, "refresh", w.b.world.url, "--apart", "--verbose", "--refused="+refused)
	if err != nil {
		return window{}, err
	}
	return readTrace(trace)
}

var traced = regexp.MustCompile(`the rotated refresh token is (durable|stored), (\S+) after the answer`)

// readTrace finds both moments in what the program says.
func readTrace(text string) (window, error) {
	found := map[string]time.Duration{}
	for _, m := range traced.FindAllStringSubmatch(text, -1) {
		took, err := time.ParseDuration(m[2])
		if err != nil {
			return window{}, err
		}
		found[m[1]] = took
	}
	if len(found) != 2 {
		return window{}, fmt.Errorf("the program does not trace when the rotated refresh token is safe:\n%s", text)
	}
	return window{found["durable"], found["stored"]}, nil
}

func (w *windowBench) run(ctx context.Context, s keychainStore, name string, args ...string) (stdout, stderr string, err error) {
	var out, words strings.Builder
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = s.env, &out, &words
	if err = cmd.Run(); err != nil {
		err = fmt.Errorf("%s %v with the keychain %s: %w: %s", filepath.Base(name), args, s.name, err, words.String())
	}
	return out.String(), words.String(), err
}

// newStore makes a home for a keychain; it is not signed in.
func (w *windowBench) newStore(name string, env ...string) (keychainStore, error) {
	home, err := os.MkdirTemp(w.b.dir, "w") // short: sockets in it have names of at most 107 bytes
	if err != nil {
		return keychainStore{}, err
	}
	s := keychainStore{name: name, home: home}
	s.env = append(w.b.environ(), "HOME="+home, "USERPROFILE="+home, "MCPCRED_HOME="+filepath.Join(home, "home"), "MCPCRED_STORE="+name)
	s.env = append(s.env, env...)
	return s, nil
}

func (w *windowBench) clear() {
	for _, end := range slices.Backward(w.ended) {
		end()
	}
}
