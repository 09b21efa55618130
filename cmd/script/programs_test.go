package script

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"
)

// The programs here stand before another one on a script's command line, and pass its exit code on.

// openStdin: open-stdin PROG ARG... gives the program a pipe for stdin that never sends and never ends.
func openStdin() {
	in, hold, err := os.Pipe()
	if err != nil {
		end(err)
	}
	cmd := pass(os.Args[1:])
	cmd.Stdin = in
	err = cmd.Run()
	_ = hold.Close()
	end(err)
}

// within: within DURATION PROG ARG... kills a program that takes longer, and ends with 99 then.
func within() {
	limit, err := time.ParseDuration(os.Args[1])
	if err != nil {
		end(err)
	}
	cmd := pass(os.Args[2:])
	cmd.Stdin = os.Stdin
	began := time.Now()
	if err := cmd.Start(); err != nil {
		end(err)
	}
	timer := time.AfterFunc(limit, func() { _ = cmd.Process.Kill() })
	err = cmd.Wait()
	if !timer.Stop() {
		fmt.Fprintln(os.Stderr, "within: still running after", time.Since(began))
		os.Exit(99)
	}
	end(err)
}

// alone: alone PROG ARG... runs a copy of one of our programs that has no core beside it, so that the front has to answer by itself.
// On macOS the front is the core.
func alone() {
	path, err := exec.LookPath(os.Args[1])
	if err != nil {
		end(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		end(err)
	}
	dir, err := os.MkdirTemp("", "alone")
	if err != nil {
		end(err)
	}
	copied := filepath.Join(dir, filepath.Base(path))
	if err := os.WriteFile(copied, data, 0o700); err != nil {
		end(err)
	}
	cmd := pass(append([]string{copied}, os.Args[2:]...))
	cmd.Stdin = os.Stdin
	err = cmd.Run()
	_ = os.RemoveAll(dir)
	end(err)
}

// race: race N PROG ARG... runs N copies at once. It prints what each one printed, then a line "exit C: HOW MANY" for
// each exit code, then "answers: HOW MANY" different ones, and ends with 0.
func race() {
	n, err := strconv.Atoi(os.Args[1])
	if err != nil {
		end(err)
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	codes, answers := map[int]int{}, map[string]bool{}
	for range n {
		all.Go(func() {
			var out, words bytes.Buffer
			cmd := exec.Command(os.Args[2], os.Args[3:]...)
			cmd.Stdout, cmd.Stderr = &out, &words
			err := cmd.Run()
			mu.Lock()
			defer mu.Unlock()
			codes[code(err)]++
			if out.Len() > 0 {
				answers[out.String()] = true
			}
			_, _ = os.Stdout.Write(out.Bytes())
			_, _ = os.Stderr.Write(words.Bytes())
		})
	}
	all.Wait()
	var lines []string
	for c, count := range codes {
		lines = append(lines, fmt.Sprintf("exit %d: %d", c, count))
	}
	slices.Sort(lines)
	for _, line := range append(lines, fmt.Sprintf("answers: %d", len(answers))) {
		fmt.Println(line)
	}
}

func pass(args []string) *exec.Cmd {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd
}

func end(err error) {
	if c := code(err); c >= 0 {
		os.Exit(c)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(98)
}

// code is the exit code that err stands for, -1 where the program did not run or was killed.
func code(err error) int {
	var ended *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &ended):
		return ended.ExitCode()
	}
	return -1
}
