package script

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// startForward: forward HOST SOCKET answers HOST at SOCKET, with the script's home and browser as they are now, until
// "unforward" or the script's end.
func startForward(ts *testscript.TestScript, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: forward HOST SOCKET")
	}
	cmd := exec.Command("mcp-credential", "forward", "--host", args[0], ts.MkAbs(args[1]))
	cmd.Env = environment(ts)
	in, err := cmd.StdinPipe()
	ts.Check(err)
	words, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	end := func() {
		_ = in.Close()
		_ = cmd.Wait()
	}
	ts.Defer(end)
	*forwardEnd(ts) = end
	said := bufio.NewReader(words)
	line, err := said.ReadString('\n')
	if err != nil || !strings.Contains(line, "answering "+args[0]) {
		ts.Fatalf("forward says %q: %v", line, err)
	}
	go func() { _, _ = io.Copy(io.Discard, said) }()
}

// endForward ends the last forward.
func endForward(ts *testscript.TestScript, _ []string) { (*forwardEnd(ts))() }

func forwardEnd(ts *testscript.TestScript) *func() { return ts.Value(keyForward).(*func()) }

// environment is that of the script, as far as a program of ours looks at it.
func environment(ts *testscript.TestScript) []string {
	out := []string{"PATH=" + os.Getenv("PATH")}
	for _, name := range []string{
		"WORK", homeVariable, "MCPCRED_HOME", "MCPCRED_STORE", "MCPCRED_PASSPHRASE_FILE", "BROWSER", "FAKEBROWSER_LOG", "FAKEBROWSER_PAGE", "TMPDIR", "CI",
	} {
		out = append(out, name+"="+ts.Getenv(name))
	}
	return out
}

// makeSocket is the program "mksocket PATH": it leaves a socket that nobody listens at, as sshd does.
func makeSocket() {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: os.Args[1], Net: "unix"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
}
