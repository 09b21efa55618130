package helper

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/home"
	"github.com/mcp-credential/mcp-credential/internal/testsupport"
)

// A re-executed test binary is another process in the same home: its arguments are the home, the time and what it does.
const patience = 10 * time.Second

func TestMain(m *testing.M) {
	roles := map[string]func([]string) error{}
	for _, role := range []string{"fleeting", "terminal", "launched", "claim launched", "claim here"} {
		roles[role] = func(args []string) error { return play(role, args[0], args[1]) }
	}
	os.Exit(testsupport.Run(m, os.Stderr, roles))
}

// play does what the role says, tells when a person is asked or how the claim went, and stays until its stdin ends.
func play(role, path, now string) error {
	dir, err := home.Find(path, func(string) string { return "" })
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(now, 10, 64)
	if err != nil {
		return err
	}
	r := rigAt(dir)
	r.reach, r.now = true, time.Unix(seconds, 0)
	stay := func(word any) {
		fmt.Println(word)
		_, _ = io.Copy(io.Discard, os.Stdin)
	}
	r.signing = func(context.Context) error { stay("asked"); return errNo }
	switch role {
	case "launched":
		err = r.Offer(context.Background(), Login{URL: testServer})
	case "claim launched", "claim here":
		held, how, cerr := limitOf(r.Helper, r.query()).claim(context.Background(), Ask{Terminal: role == "claim here", Fleeting: true})
		if held != nil {
			defer held.Release()
		}
		stay(int(how))
		err = cerr
	default:
		_, err = r.Get(context.Background(), Ask{Query: r.query(), Prompt: true, Terminal: true, Fleeting: role == "fleeting"})
	}
	if errors.Is(err, errNo) {
		return nil
	}
	return err
}

// other is another process.
type other struct {
	*exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// another starts a process in the rig's home.
func (r *rig) another(role string) *other {
	r.t.Helper()
	o := &other{Cmd: testsupport.Role(r.t, role, r.Dir.Path, strconv.FormatInt(r.now.Unix(), 10))}
	o.Stderr = os.Stderr
	out, err := o.StdoutPipe()
	if err == nil {
		o.out = bufio.NewReader(out)
		o.in, err = o.StdinPipe()
	}
	if err == nil {
		err = o.Start()
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(o.kill)
	return o
}

// says reads a line.
func (o *other) says(t *testing.T) string {
	t.Helper()
	line, err := o.out.ReadString('\n')
	if err != nil {
		t.Fatalf("%q, error %v", line, err)
	}
	return line[:len(line)-1]
}

// kill ends the process without giving it a chance; one that has ended may be killed again.
func (o *other) kill() {
	if o.ProcessState == nil {
		_ = o.Process.Kill()
		_ = o.Wait()
	}
}

var errNo = credential.Fail(credential.Refused, "the person says no", nil)
