package call

import (
	"cmp"
	"context"
	"errors"
	"io"
	"runtime"
	"strconv"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
)

// This file is the one place where the product's words for people leave it. The policy: stdout carries the protocol
// and the answer of a command, nothing else; stderr carries one sentence per event, each line beginning with the
// program's name, then for an error a line that says what to do. No sentence holds a secret, a response body or a
// control character. What a command prints for a person may have colours, on a terminal (cmd/core/style.go).

// prefix begins every line on stderr.
const prefix = Program + ": "

// Say writes one sentence to w.
func Say(w io.Writer, text string) {
	_, _ = io.WriteString(w, prefix+clean(text)+"\n")
}

// Docs is where the documents are that a hint names.
const Docs = "https://github.com/mcp-credential/mcp-credential/blob/main/docs/"

// Login is what has to be added to "mcp-credential login URL" here, so that the command cures what it is named for: flags
// of login, beside those that the error itself calls for. The zero Login adds none. What the failed command is called
// stands there too.
type Login struct {
	Account          string
	ClientID         string
	ClientSecretFile string
	CallbackPort     int
	Tenant           string
	Name             string
	Scopes           []string
	Home             string
	Device           bool
	NoBrowser        bool // it was asked for, or no browser that is opened here is seen by anybody

	Verb string // the command that failed, whose help is advised; empty: none
	More string // the flag that has it tell more about a failure of the network; empty: there is none
}

// Report tells err and what to do about it, and returns the exit code.
func Report(w io.Writer, err error) int { return Login{}.Report(w, err) }

// Report is the function of that name, with l in the command that it advises.
func (l Login) Report(w io.Writer, err error) int {
	if err == nil {
		return 0
	}
	text := prefix + clean(sentence(err)) + "\n"
	if hint := l.Hint(err); hint != "" {
		text += prefix + hint + "\n"
	}
	_, _ = io.WriteString(w, text)
	return rows[credential.KindOf(err)].code
}

// Refuse tells the caller of a get about err, in its own protocol where that has words for it, else as Report does. It returns the
// exit code.
func (l Login) Refuse(stdout, stderr io.Writer, r Request, err error) int {
	if r.Input.Fail == nil {
		return l.Report(stderr, err)
	}
	text := clean(sentence(err))
	if hint := l.Hint(err); hint != "" {
		text += "; " + hint
	}
	told := r.Input.Fail(err, text)
	if told == nil {
		return l.Report(stderr, err)
	}
	_, _ = io.WriteString(stdout, told.Stdout)
	return told.Code
}

// sentence is what err says. The end of a context that nobody has said more about has words of Go's only.
func sentence(err error) string {
	switch err {
	case context.Canceled:
		return "it was given up"
	case context.DeadlineExceeded:
		return "it took too long"
	}
	return err.Error()
}

// Hint returns what to do about err, as Report says it; "" where there is nothing to say.
func (l Login) Hint(err error) string {
	text := rows[credential.KindOf(err)].hint
	if l.Verb == "login" && credential.KindOf(err) == credential.NotApproved {
		text = "run it where you can type yes: mcp-credential login URL"
	}
	e := &credential.Error{}
	errors.As(err, &e)
	switch {
	case e.Forwarded && e.Kind == credential.KeyBound:
		text = "such tokens do not cross a forward; sign in on this machine: mcp-credential login URL"
	case e.Forwarded:
		l, text = Login{Verb: l.Verb}, overForward(e.Kind, text)
	}
	wait := "in a moment"
	if e.RetryAfter > 0 {
		wait = "in " + e.RetryAfter.String()
	}
	help := strings.TrimSuffix(Program+" "+l.Verb, " ") + " --help"
	more := ""
	if l.More != "" {
		more = "; " + l.More + " tells more"
	}
	return strings.NewReplacer("URL", l.arguments(e), "WAIT", wait, "HELP", help, "; MORE", more, "docs/", Docs).Replace(text)
}

// overForward is a hint about what has to be done on the machine at the other end of a forward.
func overForward(kind credential.Kind, text string) string {
	switch {
	case kind == credential.Prompting:
		return "finish it in the browser there"
	case kind == credential.NotApproved || text == "":
		return ""
	}
	return "on the machine at the other end of the forward: " + text
}

// arguments are the server of e, or URL where it names none, and the flags that the sign-in there needs.
func (l Login) arguments(e *credential.Error) string {
	out := quoted(cmp.Or(clean(e.Server), "URL"), runtime.GOOS)
	add := func(flag, value string) {
		between := " "
		if strings.HasPrefix(value, "-") {
			between = "=" // or it would be read as a flag
		}
		if value != "" {
			out += " " + flag + between + quoted(clean(value), runtime.GOOS)
		}
	}
	add("--account", cmp.Or(l.Account, e.Account))
	add("--client-id", l.ClientID)
	add("--client-secret-file", l.ClientSecretFile)
	if l.CallbackPort != 0 {
		add("--callback-port", strconv.Itoa(l.CallbackPort))
	}
	add("--tenant", l.Tenant)
	add("--name", l.Name)
	for _, scope := range credential.JoinScopes(l.Scopes, e.Scopes) {
		add("--scope", scope)
	}
	add("--home", l.Home)
	switch {
	case l.Device:
		out += " --device"
	case l.NoBrowser:
		out += " --no-browser"
	}
	return out
}

// quoted makes text one word of a command line: for PowerShell on Windows, to which every kind of single quotation mark
// is one, else for a POSIX shell.
func quoted(text, goos string) string {
	plain, quotes := "-_./:%+@,", strings.NewReplacer("'", `'\''`)
	if goos == "windows" {
		plain, quotes = `-_./:%+\`, strings.NewReplacer("'", "''", "\u2018", "\u2018\u2018", "\u2019", "\u2019\u2019", "\u201a", "\u201a\u201a", "\u201b", "\u201b\u201b")
	}
	special := func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune(plain, r)
	}
	if !strings.ContainsFunc(text, special) {
		return text
	}
	return "'" + quotes.Replace(text) + "'"
}

type row struct {
	code int
	hint string // URL stands for the arguments of login, WAIT for how long to wait, HELP for its help, MORE for the flag that tells more
}

// rows has every kind, with the exit code that docs/protocol.md lists.
var rows = map[credential.Kind]row{
	credential.Internal: {1, ""},

	credential.Usage:    {2, "see HELP"},
	credential.BadInput: {2, ""},
	credential.BadHome:  {2, ""},

	credential.NotFound:    {3, "sign in with: mcp-credential login URL"},
	credential.NoSignIn:    {3, "sign in with: mcp-credential login URL"},
	credential.NotApproved: {3, "approve it with: mcp-credential login URL"},
	credential.SignInDead:  {3, "sign in again with: mcp-credential login URL"},
	credential.StepUp:      {3, "grant more with: mcp-credential login URL"},
	credential.Prompting:   {3, "finish it in the browser, or sign in with: mcp-credential login URL"},

	credential.Network:         {4, "try again WAIT; MORE"},
	credential.Throttled:       {4, "try again WAIT"},
	credential.StillRefreshing: {4, "try again in a moment"},

	credential.Refused:       {5, "mcp-credential status shows the sign-in; signing in again may help: mcp-credential login URL"},
	credential.Misconfigured: {5, "correct the setting it names: docs/config.md"},
	credential.Untrusted:     {5, "check the clock and the address; name a certificate to trust with SSL_CERT_FILE, or for the bridge with --ca-file: docs/config.md"},
	credential.BadAnswer:     {5, "check the server's address, or ask whoever runs it"},
	credential.Hostile:       {5, "nothing was sent there; ask whoever runs the server"},
	credential.KeyBound:      {5, "have the host start \"mcp-credential bridge\" with this address instead: docs/hosts.md"},

	credential.KeychainLocked:  {6, "unlock the keychain (signing in to the desktop does), then try again; without a desktop keep sign-ins in an encrypted file, MCPCRED_STORE=file: docs/keychains.md"},
	credential.NoPassphrase:    {6, "name one with MCPCRED_PASSPHRASE_FILE, or with passphrase_file in config.toml: docs/keychains.md"},
	credential.KeychainMissing: {6, "choose one with MCPCRED_STORE: docs/keychains.md"},
	credential.KeychainBroken:  {6, "check the keychain or choose another with MCPCRED_STORE: docs/keychains.md"},
}

// clean keeps one event on one line, and a line to its size.
func clean(text string) string {
	return credential.Printable(strings.ReplaceAll(text, "\n", "; "), 2000)
}
