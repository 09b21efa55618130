// Package core is the command line of the core program: everything that the front cannot answer from the cache, and
// every command for people. A command is a struct with its flags and a short Run, one file each; what it decides lives
// in helper. wire.go builds what they need.
package core

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/mcp-credential/mcp-credential/cmd/call"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/browser"
	"github.com/mcp-credential/mcp-credential/internal/busguard"
)

// commands is the command line. Hidden commands are run by the program itself.
type commands struct {
	Get        getCmd        `cmd:"" help:"Print an access token for a server."`
	Store      storeCmd      `cmd:"" help:"Store a token that was obtained elsewhere."`
	Erase      eraseCmd      `cmd:"" help:"Erase a refused access token, or all access tokens of a server."`
	List       listCmd       `cmd:"" hidden:""`
	Login      loginCmd      `cmd:"" help:"Sign in to a server."`
	Logout     logoutCmd     `cmd:"" help:"Sign out of a server."`
	Bridge     bridgeCmd     `cmd:"" help:"Connect a host over stdio to a remote MCP server."`
	Setup      setupCmd      `cmd:"" help:"Put the bridge into the configuration of MCP hosts."`
	SSH        sshCmd        `cmd:"" name:"ssh" help:"Run ssh, and answer the machine at its other end."`
	Forward    forwardCmd    `cmd:"" help:"Answer another machine, or a container, at a socket."`
	Account    accountCmd    `cmd:"" help:"List the accounts of servers, or choose a server's default."`
	Doctor     doctorCmd     `cmd:"" help:"Find out why a token does not get where it should."`
	Status     statusCmd     `cmd:"" help:"Show servers, sign-ins, expiry and the last error."`
	Version    versionCmd    `cmd:"" help:"Print the version."`
	Completion completionCmd `cmd:"" help:"Print the completion script of a shell."`
	Complete   completeCmd   `cmd:"" hidden:""`
	Man        manCmd        `cmd:"" hidden:""`
	Refresh    refreshCmd    `cmd:"" hidden:""`
	Offer      offerCmd      `cmd:"" hidden:""`
}

// streams is the process as a command sees it.
type streams struct {
	program string // the name that the program was called by
	in      *os.File
	out     io.Writer
	err     io.Writer
}

// exitCode ends a command that has said everything already.
type exitCode int

// Error is for whoever prints it by mistake.
func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// exited carries kong's wish to end the process up to Main, which alone returns an exit code.
type exited int

// Main runs one command line (args[0] is the program's name) and returns the exit code.
func Main(ctx context.Context, args []string, stdin *os.File, stdout, stderr io.Writer) (code int) {
	busguard.Restore()
	program := call.Name(args[0])
	spoken := call.Spoken(program)
	if spoken.Program == "" {
		program = call.Program
	}
	if spoken.Name == "git" && len(args) > 1 && !gitVerb(args[1]) {
		return 0 // git may learn new words; helpers ignore those they do not know (gitcredentials, "Custom helpers")
	}
	defer func() {
		switch e := recover().(type) {
		case nil:
		case exited:
			code = int(e)
		default: // the stack holds addresses, no values
			_, _ = stderr.Write(debug.Stack())
			code = call.Report(stderr, credential.Fail(credential.Internal, "a fault in the program; please report it with the lines above", nil))
		}
	}()
	s := streams{program: program, in: stdin, out: stdout, err: stderr}
	if len(args) > 1 && args[1] == "--version" {
		args = []string{args[0], "version"}
	}
	if c, ok := plainBridge(args); ok {
		return report(stderr, "bridge", call.Login{}, c.Run(ctx, s))
	}
	parser, err := kong.New(model(args), kong.PostBuild(hideUnusedFlags), kong.Name(call.Program), kong.Description(about), kong.Writers(stdout, stderr),
		kong.UsageOnError(), kong.Vars{"hosts": hostNames()}, kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.Exit(func(code int) { panic(exited(code)) }))
	if err != nil {
		return call.Report(stderr, credential.Fail(credential.Internal, "the command line is broken", err))
	}
	if len(args) < 2 {
		args = append(args, "--help")
	}
	parsed, err := parser.Parse(args[1:])
	if err != nil {
		return report(stderr, commandName(args), call.Login{}, credential.Fail(credential.Usage, "the command line is wrong", unwrapParse(err)))
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	command := parsed.Selected().Target
	err = parsed.Run(s)
	var l call.Login
	if c, ok := command.Interface().(interface{ asLogin() call.Login }); ok {
		l = c.asLogin()
	}
	if home := command.FieldByName("Home"); home.IsValid() { // version has none
		l.Home = home.String()
	}
	return report(stderr, commandName(args), l, err)
}

// hideUnusedFlags leaves out of the help of store and erase what they take like get, as hosts call all three alike, and do not use.
func hideUnusedFlags(k *kong.Kong) error {
	for _, command := range k.Model.Children {
		if command.Name != "store" && command.Name != "erase" {
			continue
		}
		for _, flag := range command.Flags {
			flag.Hidden = !slices.Contains([]string{"help", "home", "verbose", "input", "account", "client-id"}, flag.Name)
		}
	}
	return nil
}

// report tells the error of a command, with l in the login that it advises.
func report(stderr io.Writer, verb string, l call.Login, err error) int {
	if err == nil {
		return 0
	}
	var code exitCode
	if errors.As(err, &code) {
		return int(code)
	}
	if code := ended(0); errors.As(err, &code) {
		return int(code)
	}
	l.NoBrowser, l.Verb = l.NoBrowser || noBrowser(), verb
	return l.Report(stderr, err)
}

// noBrowser reports whether a person at this command line would see no browser that is opened from it.
func noBrowser() bool { return !browser.Reachable(osGetenv) }

// plainBridge reads the command line that most hosts start a bridge with: a URL and nothing else. Hosts wait for it, and
// kong's part in that is 0.7 ms.
func plainBridge(args []string) (bridgeCmd, bool) {
	if len(args) != 3 || args[1] != "bridge" || !strings.HasPrefix(args[2], "http") {
		return bridgeCmd{}, false
	}
	return bridgeCmd{URL: args[2]}, true
}

// model is what kong reads the command line by: the command that args name alone, where they name one, because the
// model of all of them takes 2 ms to build; else all.
func model(args []string) any {
	all := reflect.TypeFor[commands]()
	if f, ok := all.FieldByNameFunc(func(name string) bool { return strings.ToLower(name) == commandName(args) }); ok {
		return reflect.New(reflect.StructOf([]reflect.StructField{f})).Interface()
	}
	return &commands{}
}

// commandName is the command that args name first; empty where they name none.
func commandName(args []string) string {
	all := reflect.TypeFor[commands]()
	for i := range all.NumField() {
		if name := strings.ToLower(all.Field(i).Name); len(args) > 1 && name == args[1] {
			return name
		}
	}
	return ""
}

const about = `Access tokens for MCP servers, from the cache or refreshed in silence.

Sign in once with "mcp-credential login URL"; from then on every host and script gets a valid token from
"mcp-credential get URL". "mcp-credential bridge URL" serves the same server to hosts that start local (stdio) servers
only, and to agents that nobody watches. Errors end with 2 usage or input, 3 sign-in needed, 4 try later, 5 refused or
misconfigured, 6 keychain.`

// gitVerb reports whether git's word is one that we answer; flags are for people.
func gitVerb(word string) bool {
	return word == "get" || word == "store" || word == "erase" || strings.HasPrefix(word, "-")
}

func unwrapParse(err error) error {
	var p *kong.ParseError
	if errors.As(err, &p) && p.Unwrap() != nil {
		return p.Unwrap()
	}
	return err
}

// common are the flags of every command.
type common struct {
	Home    string `help:"Directory for configuration, cache and locks." placeholder:"DIR"`
	Verbose bool   `short:"v" help:"Print each decision to stderr."`
}
