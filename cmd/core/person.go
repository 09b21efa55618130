package core

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"github.com/mcp-credential/mcp-credential/cmd/call"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/helper"
	"github.com/mcp-credential/mcp-credential/internal/browser"
	"github.com/mcp-credential/mcp-credential/internal/loopback"
	"github.com/mcp-credential/mcp-credential/source"
)

// person is whoever sits before this process: at its terminal, or only at the desktop when it runs detached.
type person struct {
	w        *wiring
	way      source.Way
	offered  bool // nobody has typed a command for this sign-in: a page of ours asks first
	proposal helper.Proposal
	asked    bool
	waiting  func()        // ends the waiting indicator
	lines    *bufio.Reader // of what is typed here
}

func (w *wiring) person(way source.Way, offered bool) *person {
	return &person{w: w, way: way, offered: offered, waiting: func() {}}
}

// Say tells who will receive what, as whom.
func (p *person) Say(q helper.Proposal) error {
	p.proposal = q
	var text strings.Builder
	t := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	row := func(name, value string) { fmt.Fprintf(t, "  %s\t%s\n", name, credential.Printable(value, 400)) }
	row("Server", q.Server)
	if q.Resource != q.Server && q.Resource != "" {
		row("Resource", q.Resource)
	}
	row("Signed in at", q.Issuer)
	row("Scopes", listed(q.Scopes, "(the server's default)"))
	row("Account", p.account(q))
	_ = t.Flush()
	if q.Provider {
		call.Say(p.w.streams.err, "this identity provider will vouch for you at the servers that config.toml names it for:")
	} else {
		call.Say(p.w.streams.err, "this server will receive access tokens:")
	}
	_, err := io.WriteString(p.w.streams.err, text.String())
	for _, other := range q.SameApp {
		call.Say(p.w.streams.err, "its tokens will be good at "+credential.Printable(other, 400)+" too, which is approved for the same app")
	}
	return err
}

// account names the account: its label, and whose it is where a sign-in is there.
func (p *person) account(q helper.Proposal) string {
	switch {
	case q.SignedIn && q.User == "":
		return cmp.Or(q.Account, "(the one that is signed in)")
	case !q.SignedIn || q.User == q.Account:
		return cmp.Or(q.Account, "(the one you choose in the browser)")
	}
	return strings.TrimSpace(q.Account + " " + bracketed(q.User))
}

// Approve takes a yes that is typed at a terminal. There is no other way: what a flag, a variable or a host could say,
// a server's metadata could bring it to say.
func (p *person) Approve(q helper.Proposal) error {
	if p.offered || !p.w.atTerminal() {
		return &credential.Error{Kind: credential.NotApproved, Server: q.Server,
			Text: "an existing sign-in could serve " + q.Server + ", but nobody has approved that; a person has to approve it at a terminal"}
	}
	call.Say(p.w.streams.err, "nobody has approved that yet, and the server itself named the scopes; type yes to allow it:")
	if line, _ := p.typed(); line != "yes" {
		return &credential.Error{Kind: credential.NotApproved, Server: q.Server, Text: "it was not approved"}
	}
	return nil
}

func listed(items []string, none string) string { return cmp.Or(strings.Join(items, " "), none) }

// SignIn runs the interactive half of the named source, with this person.
func (p *person) SignIn(ctx context.Context, name string, q helper.Proposal, t credential.Target) (credential.Answer, error) {
	src, err := sources{p.w}.source(name)
	if err != nil {
		return credential.Answer{}, err
	}
	defer func() { p.waiting() }()
	if p.way == source.Browser && !p.offered && !browser.Seen(osGetenv) {
		p.withoutBrowser(name == sourceEntra || t.Endpoints.Device != "")
	}
	return src.Interactive(ctx, t, p)
}

// withoutBrowser chooses a way for a person who would see no browser that opens here.
func (p *person) withoutBrowser(device bool) {
	p.way = source.NoBrowser
	text := "nobody would see a browser that opens here (no desktop, or SSH); sign in with the browser of another machine"
	if device {
		p.way = source.Device
		text += "; or take --no-browser"
	}
	call.Say(p.w.streams.err, text)
}

// Asked reports whether there was anything to act on.
func (p *person) Asked() bool { return p.asked }

// Way is how this person is reached.
func (p *person) Way() source.Way { return p.way }

// OpenURL shows the authorization URL: through a page of ours first where nobody has approved this server yet.
func (p *person) OpenURL(ctx context.Context, url string) error {
	if p.way == source.NoBrowser {
		p.limit()
		call.Say(p.w.streams.err, "open this address in any browser and sign in:")
		p.line(url)
		call.Say(p.w.streams.err, "at the end the browser shows an address that it cannot open; paste that address here:")
		return nil
	}
	seen := !p.offered || p.w.terminal()
	open := func(url string) error {
		if seen {
			call.Say(p.w.streams.err, "opening the browser; if it shows nothing, open this address in a browser on this machine:")
			p.line(url)
		}
		p.wait("waiting for the sign-in in the browser")
		err := browser.Open(ctx, url, osGetenv)
		p.asked = p.asked || err == nil || ctx.Err() != nil // ended while opening: the person was quicker
		return err
	}
	var err error
	if p.offered && !p.proposal.Approved {
		q := loopback.Question{Server: p.proposal.Server, Issuer: p.proposal.Issuer, Scopes: p.proposal.Scopes, Account: p.proposal.Account}
		err = loopback.Confirm(ctx, q, url, open)
	} else {
		err = open(url)
	}
	if err == nil || !seen || ctx.Err() != nil {
		return err
	}
	p.waiting()
	call.Say(p.w.streams.err, err.Error()+"; the address above does the same in any browser on this machine")
	p.wait("waiting for the sign-in in the browser")
	return nil
}

// ShowCode tells what to type where.
func (p *person) ShowCode(_ context.Context, url, complete, code string) error {
	call.Say(p.w.streams.err, "open "+url+" on any device and enter the code "+code)
	if complete != "" {
		call.Say(p.w.streams.err, "or open "+complete)
	}
	p.wait("waiting for the code to be entered")
	return nil
}

// typed reads the next line that is typed here, without the white space around it.
func (p *person) typed() (string, error) {
	if p.lines == nil {
		p.lines = bufio.NewReader(io.LimitReader(p.w.streams.in, maxTyped))
	}
	line, err := p.lines.ReadString('\n')
	return strings.TrimSpace(line), err
}

// PastedRedirect reads the address that the browser ended on, the next line after a mistake.
func (p *person) PastedRedirect(ctx context.Context, wrong error) (string, error) {
	if wrong != nil {
		call.Say(p.w.streams.err, wrong.Error()+"; paste the right one here:")
	}
	type answer struct {
		line string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		line, err := p.typed()
		for line == "" && err == nil { // the line end of a paste, perhaps
			line, err = p.typed()
		}
		got <- answer{line, err}
	}()
	select {
	case a := <-got:
		if a.line == "" && wrong != nil {
			return "", wrong
		}
		if a.line == "" {
			return "", credential.Fail(credential.BadInput, "no address was pasted", nil)
		}
		return a.line, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// Registered has nothing to keep: a client is registered anew for every sign-in, because a server that compares
// redirect URIs with their ports would refuse the old one in the browser, where nobody could explain it.
func (p *person) Registered(string, credential.Secret) error { return nil }

// Tell says what the sign-in waits for.
func (p *person) Tell(text string) { call.Say(p.w.streams.err, text) }

// line prints text as it is, without the program's name, to be copied.
func (p *person) line(text string) {
	_, _ = io.WriteString(p.w.streams.err, credential.Printable(text, 4096)+"\n")
}

// maxTyped bounds all that is typed or pasted during one sign-in, in bytes.
const maxTyped = 1 << 20

// limit says how long a sign-in may take, and how to end it.
func (p *person) limit() {
	call.Say(p.w.streams.err, "it may take "+strconv.Itoa(int(credential.SignInTotal.Minutes()))+" minutes; Ctrl-C ends it")
}

// tick is how often the waiting indicator moves.
const tick = time.Second

// wait shows on a terminal that something goes on, and elsewhere says it once.
func (p *person) wait(text string) {
	p.waiting()
	p.waiting = func() {}
	p.limit()
	if !p.w.terminal() {
		call.Say(p.w.streams.err, text)
		return
	}
	done, gone := make(chan struct{}), make(chan struct{})
	began := time.Now()
	go func() {
		defer close(gone)
		ticker := time.NewTicker(tick)
		defer ticker.Stop()
		for {
			fmt.Fprintf(p.w.streams.err, "\r%s: %s (%s) ", call.Program, text, time.Since(began).Round(time.Second))
			select {
			case <-ticker.C:
			case <-done:
				fmt.Fprintf(p.w.streams.err, "\r%s\r", strings.Repeat(" ", len(text)+40))
				return
			}
		}
	}()
	p.waiting = func() { close(done); <-gone; p.waiting = func() {} }
}

// askPassphrase reads the passphrase of the encrypted file from the terminal, without echo.
func (w *wiring) askPassphrase(ctx context.Context) (credential.Secret, error) {
	call.Say(w.streams.err, "passphrase of the encrypted file:")
	type answer struct {
		text []byte
		err  error
	}
	fd := int(w.streams.in.Fd())
	before, _ := term.GetState(fd)
	got := make(chan answer, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		got <- answer{text, err}
	}()
	select {
	case a := <-got:
		if a.err == nil && len(a.text) == 0 {
			a.err = errors.New("nothing was typed")
		}
		if a.err != nil {
			return credential.Secret{}, credential.Fail(credential.KeychainBroken, "no passphrase", a.err)
		}
		return credential.NewSecret(string(a.text)), nil
	case <-ctx.Done():
		if before != nil {
			_ = term.Restore(fd, before)
		}
		return credential.Secret{}, ctx.Err()
	}
}
