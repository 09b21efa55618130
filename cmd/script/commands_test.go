package script

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

type command = func(ts *testscript.TestScript, neg bool, args []string)

// commands are what scripts can say besides testscript's own.
func commands() map[string]command {
	return map[string]command{
		"world":      plainly(startWorld),
		"control":    plainly(control),
		"knobs":      plainly(knobs),
		"stats":      stats,
		"until":      plainly(until),
		"exits":      plainly(exits),
		"take":       plainly(take),
		"snapshot":   plainly(snapshot),
		"intact":     plainly(intact),
		"secretless": plainly(secretless),
		"unsealed":   plainly(nowhereUnsealed),
		"quiet":      plainly(quiet),
		"rewrite":    plainly(rewrite),
		"expand":     plainly(expand),
		"configure":  plainly(configure),
		"redirect":   plainly(redirectOf),
		"fetch":      plainly(fetch),
		"freeport":   plainly(freePort),
		"proxy":      plainly(startProxy),
		"forward":    plainly(startForward),
		"unforward":  plainly(endForward),
	}
}

// plainly makes a command of one that cannot be negated.
func plainly(do func(ts *testscript.TestScript, args []string)) command {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg {
			ts.Fatalf("the command cannot be negated")
		}
		do(ts, args)
	}
}

// exits CODE PROG ARG... runs a program, which must end with CODE. Stdin, stdout and stderr are those of exec.
func exits(ts *testscript.TestScript, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROG ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := code(ts.Exec(args[1], args[2:]...)); got != want {
		ts.Fatalf("exit code %d, not %d", got, want)
	}
}

// patience bounds every until: longer than anything that a script waits for can take on a busy machine.
const patience = 20 * time.Second

// until waits for a condition: "until stats KEY WANT", "until match GLOB REGEXP", or "until stdout REGEXP PROG ARG..."
// for a program whose stdout matches (it may fail before that), "until other TEXT PROG ARG..." for one that no longer
// prints TEXT.
func until(ts *testscript.TestScript, args []string) {
	conditions := map[string]func(*testscript.TestScript, []string) bool{
		"stats":  func(ts *testscript.TestScript, args []string) bool { return counted(ts, args[0]) == args[1] },
		"match":  func(ts *testscript.TestScript, args []string) bool { return fileMatches(ts.MkAbs(args[0]), args[1]) },
		"stdout": outputMatches,
		"other":  outputDiffers,
	}
	if len(args) < 3 || conditions[args[0]] == nil {
		ts.Fatalf("usage: until stats KEY WANT | match GLOB REGEXP | stdout REGEXP PROG ARG... | other TEXT PROG ARG...")
	}
	eventually(ts, func() bool { return conditions[args[0]](ts, args[1:]) })
}

func eventually(ts *testscript.TestScript, happened func() bool) {
	for end := time.Now().Add(patience); !happened(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("it did not happen within %s", patience)
		}
	}
}

// quiet waits until no background process of the script's home is left; without /proc it has nothing to wait for.
func quiet(ts *testscript.TestScript, _ []string) {
	mine := []byte("--home=" + ts.Getenv("MCPCRED_HOME"))
	eventually(ts, func() bool {
		lines, err := commandLines()
		ts.Check(err)
		return !bytes.Contains(lines, mine)
	})
}

// fileMatches reports whether every file of a glob matches.
func fileMatches(glob, pattern string) bool {
	paths, _ := filepath.Glob(glob)
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil || !regexp.MustCompile(pattern).Match(data) {
			return false
		}
	}
	return len(paths) > 0
}

func outputMatches(ts *testscript.TestScript, args []string) bool {
	err := ts.Exec(args[1], args[2:]...)
	return err == nil && regexp.MustCompile(args[0]).MatchString(ts.ReadFile("stdout"))
}

func outputDiffers(ts *testscript.TestScript, args []string) bool {
	err := ts.Exec(args[1], args[2:]...)
	return err == nil && strings.TrimSpace(ts.ReadFile("stdout")) != args[0]
}

// take NAME [FILE REGEXP] puts the last stdout, or what the first group matches in a file ("stdout" and "stderr" too),
// into an environment variable.
func take(ts *testscript.TestScript, args []string) {
	switch len(args) {
	case 1:
		ts.Setenv(args[0], strings.TrimRight(ts.ReadFile("stdout"), "\r\n"))
	case 3:
		m := regexp.MustCompile(args[2]).FindStringSubmatch(ts.ReadFile(args[1]))
		if len(m) < 2 {
			ts.Fatalf("no match for %s in %s", args[2], args[1])
		}
		ts.Setenv(args[0], m[1])
	default:
		ts.Fatalf("usage: take NAME [FILE REGEXP]")
	}
}

// rewrite FILE REGEXP REPLACEMENT edits a file in place; nothing to replace is a failure. \r, \n and \0 in REPLACEMENT
// stand for what they do in Go.
func rewrite(ts *testscript.TestScript, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: rewrite FILE REGEXP REPLACEMENT")
	}
	path := ts.MkAbs(args[0])
	pattern, old := regexp.MustCompile(args[1]), ts.ReadFile(path)
	if !pattern.MatchString(old) {
		ts.Fatalf("no match for %s in %s", args[1], args[0])
	}
	info, err := os.Stat(path)
	ts.Check(err)
	with := strings.NewReplacer(`\r`, "\r", `\n`, "\n", `\0`, "\x00").Replace(args[2])
	ts.Check(os.WriteFile(path, []byte(pattern.ReplaceAllString(old, with)), info.Mode().Perm()))
}

// Keys of testscript's per-script values.
type key int

const (
	keyT key = iota
	keySnapshot
	keyForward
)

// passing are folders of the home that may change when nothing is decided.
var passing = map[string]bool{"locks": true, "marks": true}

// snapshot remembers what the home holds: every path, mode and content but those of locks and marks.
func snapshot(ts *testscript.TestScript, _ []string) {
	*snapshots(ts) = contents(ts)
}

// intact compares the home with the last snapshot.
func intact(ts *testscript.TestScript, _ []string) {
	before, now := *snapshots(ts), contents(ts)
	if before == nil {
		ts.Fatalf("there is no snapshot")
	}
	for path, was := range before {
		if now[path] != was {
			ts.Fatalf("%s has changed: %q, then %q", path, was, now[path])
		}
	}
	for path := range now {
		if _, ok := before[path]; !ok {
			ts.Fatalf("%s is new", path)
		}
	}
}

func snapshots(ts *testscript.TestScript) *map[string]string {
	return ts.Value(keySnapshot).(*map[string]string)
}

func contents(ts *testscript.TestScript) map[string]string {
	home, out := ts.Getenv("MCPCRED_HOME"), map[string]string{}
	err := filepath.WalkDir(home, func(path string, d os.DirEntry, err error) error {
		if err != nil || path == home {
			return err
		}
		if d.IsDir() && passing[d.Name()] {
			return filepath.SkipDir
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		out[path] = info.Mode().String()
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			out[path] += " " + string(data)
			return err
		}
		return nil
	})
	if !os.IsNotExist(err) {
		ts.Check(err)
	}
	return out
}
