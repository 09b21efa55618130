package keychain

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/busguard"
)

// writerStore names the variable that turns the test binary into a process that sets values until it is killed.
const (
	writerStore  = "KEYCHAIN_TEST_WRITER"
	writerDir    = "KEYCHAIN_TEST_DIR"
	writerPhrase = "KEYCHAIN_TEST_PHRASE"
	writerFirst  = "KEYCHAIN_TEST_FIRST"
)

func TestMain(m *testing.M) {
	busguard.Restore()
	if os.Getenv(writerStore) != "" {
		fmt.Fprintln(os.Stderr, "writer:", write())
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// write sets numbered values for ever, and says on standard output which one it begins and which one is done.
func write() error {
	k, err := Open(context.Background(), Options{
		Store: os.Getenv(writerStore), Home: homeA, Dir: os.Getenv(writerDir), PassphraseFile: os.Getenv(writerPhrase),
	})
	if err != nil {
		return err
	}
	first, err := strconv.Atoi(os.Getenv(writerFirst))
	if err != nil {
		return err
	}
	for n := first; ; n++ {
		fmt.Println("begin", n)
		if err := k.Set(context.Background(), "killed", "mcp-credential: killed", numbered(n)); err != nil {
			return err
		}
		fmt.Println("done", n)
	}
}

// numbered is a value whose every byte depends on n.
func numbered(n int) []byte { return bytes.Repeat([]byte(strconv.Itoa(n)+" "), 1000) }

// survivesKills kills a writer again and again at random moments, and wants the last value it finished or the one it
// had begun, whole. prepare arranges the child's environment and returns what kills it.
func survivesKills(t *testing.T, o Options, rounds int, prepare func(*exec.Cmd) func() error) {
	k := mustOpen(t, o)
	set(t, k, "timed", "first")
	start := time.Now()
	set(t, k, "timed", "second")
	span := 3 * time.Since(start)
	done, midway := -1, 0
	for range rounds {
		begun, finished := killWriter(t, o, done+1, span, prepare)
		if finished >= 0 {
			done = finished
		}
		got, err := k.Get(t.Context(), "killed")
		switch {
		case errors.Is(err, credential.ErrNoItem) && done < 0:
			continue
		case err != nil:
			t.Fatalf("after a kill (done %d, begun %d): %v", done, begun, err)
		case begun > done && bytes.Equal(got, numbered(begun)):
			done, midway = begun, midway+1
		case done < 0 || !bytes.Equal(got, numbered(done)):
			t.Fatalf("after a kill: %d bytes %.20q, want value %d or %d", len(got), got, done, begun)
		case begun > done:
			midway++
		}
	}
	if done < 1 || midway == 0 {
		t.Fatalf("%d values set, %d kills in the middle of one: the test has seen nothing", done, midway)
	}
	t.Logf("%d kills, %d of them in the middle of a Set; %d values", rounds, midway, done)
}

// killWriter lets a writer begin with value first, kills it at most span later, and returns the last values that it
// began and finished, or -1.
func killWriter(t *testing.T, o Options, first int, span time.Duration, prepare func(*exec.Cmd) func() error) (begun, done int) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), writerStore+"="+o.Store, writerDir+"="+o.Dir, writerPhrase+"="+o.PassphraseFile,
		writerFirst+"="+strconv.Itoa(first))
	child.Stderr = os.Stderr
	kill := prepare(child)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("the writer wrote nothing")
	}
	begun, done = first, -1
	time.AfterFunc(rand.N(span), func() { _ = kill() })
	for lines.Scan() {
		word, number, _ := strings.Cut(lines.Text(), " ")
		n, err := strconv.Atoi(number)
		switch {
		case err != nil: // a line that was cut off
		case word == "begin":
			begun = n
		case word == "done":
			done = n
		}
	}
	_, _ = io.Copy(io.Discard, out)
	if err := child.Wait(); err == nil {
		t.Fatal("the writer ended by itself")
	}
	return begun, done
}

// killProcess kills the child itself.
func killProcess(c *exec.Cmd) func() error { return func() error { return c.Process.Kill() } }
