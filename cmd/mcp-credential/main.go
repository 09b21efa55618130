// Command mcp-credential is the front: what hosts call. It answers a warm get from the cache and hands everything else
// to the core, the program beside it. It links no network, no keychain library, no D-Bus and no command-line library, so
// that nothing in it can wait and starting it costs little more than starting an empty process; on macOS alone it
// contains the core, because keychain permissions belong to one binary.
package main

import (
	"io"
	"os"
	"time"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/cmd/call"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/helper"
	"github.com/mcp-credential/mcp-credential/internal/home"
	"github.com/mcp-credential/mcp-credential/state"
)

func main() {
	call.RefuseDumps()
	os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr))
}

func run(args []string, stdin *os.File, stdout, stderr io.Writer) int {
	program := call.Name(args[0])
	args, hello := call.Start(args)
	if _, err := io.WriteString(stdout, hello); err != nil {
		return 1 // whoever started this does not listen
	}
	var f call.Flags
	if len(args) < 2 || args[1] != "get" || !f.Parse(args[2:]) {
		return core(args, nil)
	}
	r, err := call.Decode(f, program, os.Getenv, stdin)
	if err != nil {
		return call.Login{Verb: "get"}.Refuse(stdout, stderr, r, err)
	}
	again, last := repeats(f), time.Time{}
	if r.Repeats() {
		last = again.Last(r.Query)
	}
	hit, err := warm(f, r, stderr)
	if err != nil {
		return core(args, r.Read)
	}
	if r.Repeats() && again.Again(last, hit.Token) {
		return core(args, nil) // the host may have had the token refused: the core asks the server
	}
	if err := r.Output.Encode(stdout, r.Request, hit.Token); err != nil {
		return call.Report(stderr, err)
	}
	if r.Repeats() {
		again.Served(r.Query)
	}
	after(f, r, hit, stderr)
	return 0
}

// warm looks into the cache. Any error means that the core must judge.
func warm(f call.Flags, r call.Request, stderr io.Writer) (helper.Hit, error) {
	dir, err := home.Find(f.Home, os.Getenv)
	if err == nil {
		err = dir.Check()
	}
	if err != nil || r.Query.Challenge != "" || r.Output.Encode == nil {
		return helper.Hit{}, helper.ErrCold
	}
	w := helper.Warm{
		Cache:   cache.Open(dir, cache.SystemKeys(dir.ID)),
		Records: state.Records{Dir: dir},
		Config:  func() (int64, int64) { return call.ConfigStamp(dir.File("config.toml")) },
		Now:     time.Now,
		Trace:   func(string) {},
	}
	if f.Verbose {
		w.Trace = func(text string) { call.Say(stderr, text) }
	}
	if r.Resource != "" {
		if r.Query.URL, err = helper.ServerOf(w.Records, r.Resource); err != nil {
			return helper.Hit{}, helper.ErrCold
		}
	}
	return w.Get(r.Query)
}

// repeats notices hosts that ask again at once.
func repeats(f call.Flags) helper.Repeats {
	dir, _ := home.Find(f.Home, os.Getenv) // warm says what is wrong with it
	return helper.Repeats{Records: state.Records{Dir: dir}, Now: time.Now}
}

// after does what may follow the answer: a word about a refresh, and a refresh ahead of time.
func after(f call.Flags, r call.Request, hit helper.Hit, stderr io.Writer) {
	if !f.Notify && !hit.Due {
		return
	}
	dir, err := home.Find(f.Home, os.Getenv)
	if err != nil {
		return
	}
	if f.Notify {
		if text := (state.Notices{Records: state.Records{Dir: dir}}).Take(hit.SignIn); text != "" {
			call.Say(stderr, text)
		}
	}
	if !hit.Due {
		return
	}
	q := credential.Query{URL: hit.Token.Server, Account: hit.Account}
	if hit.Machine {
		q = r.Query // a machine identity is not written down: the same question leads to it
	}
	args := append(helper.Renewal{Query: q, Prompt: f.Prompt != "never"}.Args(), "--home="+dir.Path)
	if err := launch(args); err != nil && f.Verbose {
		call.Say(stderr, "refresh: cannot start: "+err.Error())
	}
}
