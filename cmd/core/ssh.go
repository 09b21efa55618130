package core

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/mcp-credential/mcp-credential/cmd/call"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/forward"
	"github.com/mcp-credential/mcp-credential/helper"
	"github.com/mcp-credential/mcp-credential/state"
)

type sshCmd struct {
	common
	Host string   `arg:"" help:"Where to, as ssh takes it."`
	Args []string `arg:"" optional:"" passthrough:"" name:"argument" help:"More for ssh: its options, a command."`
}

// ended is how a program has ended that this one ran for the caller, who has seen what it said.
type ended int

func (e ended) Error() string { return "the program has ended" }

// Run runs the user's own ssh, and answers the machine at its other end as long as that runs.
func (c sshCmd) Run(ctx context.Context, s streams) error {
	host, err := checkHost(c.Host)
	if err != nil {
		return err
	}
	options, err := sshOptions(c.Args)
	if err != nil {
		return err
	}
	if runtime.GOOS == "windows" {
		return credential.Fail(credential.Usage, "the ssh of Windows forwards no Unix sockets; run this in WSL", nil)
	}
	program, err := exec.LookPath("ssh")
	if err != nil {
		return credential.Fail(credential.Usage, "ssh cannot be found", err)
	}
	quiet := s // the terminal is the other machine's
	if !c.Verbose {
		quiet.err = io.Discard
	}
	a, err := newAnswering(c.common, quiet, host)
	if err != nil {
		return err
	}
	run := sshRun{sshCmd: c, program: program, streams: s, options: options}
	folder, err := run.folder(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mcp-credential-")
	if err != nil {
		return credential.Fail(credential.Internal, "cannot make a folder for the socket", err)
	}
	defer os.RemoveAll(dir)
	l, err := forward.Listen(filepath.Join(dir, "s"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // Ctrl-C is ssh's
	served := make(chan error, 1)
	go func() { served <- a.serve(ctx, l) }()
	err = run.session(folder, l.Addr().String())
	cancel()
	return errors.Join(err, <-served)
}

// sshRun is one run of the user's ssh.
type sshRun struct {
	sshCmd
	program string
	streams streams
	options []string // those of Args that say how to connect
}

// flags of ssh (ssh(1)): those that take no value, and those that do.
const (
	sshPlain  = "1246aACfGgKkMNnqsTtVvXxYy"
	sshValued = "BbcDEeFIiJLlmOoPpQRSWw"
	sshHow    = "46AaBbCcFIiJKklmoPpqvXxYy" // say how to connect, and nothing of what is done then
)

// sshOptions returns those of the arguments that say how to connect, up to the command. Errors are of kind Usage.
func sshOptions(args []string) (how []string, err error) {
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' && args[0] != "--" {
		word := args[0][1:]
		args = args[1:]
		for len(word) > 0 {
			letter := word[:1]
			flag, value := []string{"-" + letter}, strings.Contains(sshValued, letter)
			word = word[1:]
			switch {
			case letter == "f":
				return nil, credential.Fail(credential.Usage, "with -f ssh goes on in the background, where nothing would answer; leave it out", nil)
			case value && word != "":
				flag, word = append(flag, word), ""
			case value && len(args) > 0:
				flag, args = append(flag, args[0]), args[1:]
			}
			if strings.Contains(sshHow, letter) {
				how = append(how, flag...)
			}
		}
	}
	return how, nil
}

// makeFolder makes the folder for sockets on the other machine, and says where that is. Every shell that people log in with takes it.
const makeFolder = `exec sh -c 'umask 077 && cd && mkdir -p "${MCPCRED_HOME:-.mcp-credential}/forward" && cd "${MCPCRED_HOME:-.mcp-credential}/forward" && pwd -P'`

// folder is where the socket can be on the other machine. sshd takes a whole path only, and makes no folder: so the first time for
// a host, ssh runs twice.
func (r sshRun) folder(ctx context.Context) (string, error) {
	w, err := wire(r.common, r.streams)
	if err != nil {
		return "", err
	}
	if known, err := (state.Forwards{Records: w.helper.Records}).To(r.Host); err == nil && known.Folder != "" {
		return known.Folder, nil
	}
	call.Say(r.streams.err, "the first time for "+r.Host+": ssh asks where its home is, then connects again")
	args := append([]string{"-T", "-o", "ClearAllForwardings=yes", "-o", "RemoteCommand=none", "-o", "PermitLocalCommand=no"}, r.options...)
	cmd := exec.CommandContext(ctx, r.program, append(args, r.Host, makeFolder)...)
	cmd.Stderr, cmd.WaitDelay = r.streams.err, credential.ForwardLine
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	out, err := cmd.Output()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	folder := strings.TrimSpace(lines[len(lines)-1]) // before it may be what a shell's profile prints
	if err != nil || !strings.HasPrefix(folder, "/") || credential.Printable(folder, 1024) != folder || strings.Contains(folder, "${") {
		return "", credential.Fail(credential.Usage, "ssh cannot make a folder in the home directory of "+credential.Printable(r.Host, 200), err)
	}
	return folder, helper.Forwards{Helper: w.helper}.Place(r.Host, folder)
}

// session runs ssh with the forward, and ends as it does. Every session has a socket of its own, since sshd leaves the file behind.
func (r sshRun) session(folder, local string) error {
	remote := folder + "/ssh-" + strings.ToLower(rand.Text()[:12]) + ".sock"
	// A master connection of the user's would keep the forward when this session ends.
	args := append([]string{"-S", "none", "-o", "ControlMaster=no", "-R", sshPath(remote) + ":" + sshPath(local), r.Host}, r.Args...)
	cmd := exec.Command(r.program, args...)
	cmd.Stdin, cmd.Stdout, cmd.WaitDelay = r.streams.in, r.streams.out, credential.ForwardLine
	refused := &forwardRefused{to: r.streams.err, path: remote}
	cmd.Stderr = refused
	ending := make(chan os.Signal, 1)
	signal.Notify(ending, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(ending)
	if err := cmd.Start(); err != nil {
		return credential.Fail(credential.Usage, "ssh cannot be started", err)
	}
	done := make(chan struct{})
	go func() {
		select {
		case <-ending:
			_ = cmd.Process.Signal(syscall.SIGTERM)
		case <-done:
		}
	}()
	_ = cmd.Wait()
	close(done)
	if refused.seen() {
		r.forgetFolder()
	}
	if code := cmd.ProcessState.ExitCode(); code > 0 {
		return ended(code)
	} else if code < 0 {
		return ended(255) // by a signal; ssh's own code for a connection that failed
	}
	return nil
}

// sshPath is a path as ssh reads it in -R: a colon ends it, and a percent sign begins a token (ssh_config(5), "TOKENS").
func sshPath(path string) string {
	return strings.NewReplacer(`\`, `\\`, ":", `\:`, "%", "%%").Replace(path)
}

func (r sshRun) forgetFolder() {
	w, err := wire(r.common, r.streams)
	if err == nil {
		err = helper.Forwards{Helper: w.helper}.Place(r.Host, "")
	}
	if err != nil {
		call.Say(r.streams.err, "warning: "+err.Error())
	}
	call.Say(r.streams.err, "the forward could not be set up: the other machine may forbid it (AllowStreamLocalForwarding), or its home is another one now; the next run looks again")
}

// forwardRefused passes on what ssh says, and sees whether it says that the forward was refused.
type forwardRefused struct {
	to   io.Writer
	path string
	tail []byte
	hit  bool
}

// Write is io.Writer. One goroutine writes, which has ended when seen is called.
func (f *forwardRefused) Write(p []byte) (int, error) {
	f.tail = append(f.tail, p...)
	f.hit = f.hit || bytes.Contains(f.tail, []byte("remote port forwarding failed for listen path "+f.path))
	f.tail = f.tail[max(0, len(f.tail)-512):]
	return f.to.Write(p)
}

func (f *forwardRefused) seen() bool { return f.hit }
