package core

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/cmd/call"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/host"
	"github.com/mcp-credential/mcp-credential/host/change"
	"github.com/mcp-credential/mcp-credential/internal/browser"
)

type setupCmd struct {
	common
	Hosts        []string `arg:"" optional:"" name:"host" help:"Which hosts or other callers: ${hosts}. Without one every MCP host that is here, and git."`
	Server       string   `help:"Add this server where it is not there yet." placeholder:"URL"`
	Name         string   `help:"What the entry of --server is called." placeholder:"NAME"`
	TokenCommand bool     `name:"token-command" help:"The token command in place of the bridge, where the host has one."`
	Project      bool     `help:"The file in the working directory in place of the user's."`
	Yes          bool     `short:"y" xor:"how" help:"Write without asking."`
	DryRun       bool     `name:"dry-run" xor:"how" help:"Show what would be written."`
	Undo         bool     `xor:"how" help:"Take back what setup has written."`
}

// Run puts entries of ours into the configuration of hosts.
func (c setupCmd) Run(ctx context.Context, s streams) error {
	w, err := wire(c.common, s)
	if err != nil {
		return err
	}
	if c.Undo {
		return c.undo(ctx, w)
	}
	hosts, err := c.hosts()
	if err != nil {
		return err
	}
	p, err := place()
	if err != nil {
		return err
	}
	plans, err := c.plan(w, p, hosts)
	if err != nil {
		return err
	}
	if len(plans) == 0 {
		return nil
	}
	for _, plan := range plans {
		if _, err := s.out.Write(plan.shown()); err != nil {
			return err
		}
	}
	switch {
	case c.DryRun:
		return nil
	case c.Yes:
	case !w.atTerminal() || browser.CI(osGetenv):
		call.Say(s.err, "nothing is written without --yes")
		return nil
	case !c.confirmed(w, len(plans)):
		call.Say(s.err, "nothing was written")
		return nil
	}
	return c.write(ctx, w, plans)
}

// hosts are those of the command line; without one, all MCP hosts and git.
func (c setupCmd) hosts() ([]host.Host, error) {
	if len(c.Hosts) == 0 {
		return slices.DeleteFunc(slices.Clone(host.Table), func(h host.Host) bool { return h.Caller && h.Name != "git" }), nil
	}
	var out []host.Host
	for _, name := range c.Hosts {
		h, ok := host.Find(name)
		if !ok {
			return nil, credential.Fail(credential.Usage, "there is no host "+credential.Printable(name, 40)+"; the hosts are "+hostNames(), nil)
		}
		out = append(out, h)
	}
	return out, nil
}

func hostNames() string {
	var names []string
	for _, h := range host.Table {
		names = append(names, h.Name)
	}
	return strings.Join(names, ", ")
}

// place is this machine, with the program that hosts are to start: the front beside this one.
func place() (host.Place, error) {
	exe, err := os.Executable()
	if err == nil {
		exe, err = filepath.EvalSymlinks(exe)
	}
	user, herr := os.UserHomeDir()
	if err := errors.Join(err, herr); err != nil {
		return host.Place{}, credential.Fail(credential.BadHome, "the places of this user's files cannot be found", err)
	}
	program := filepath.Join(filepath.Dir(exe), call.Program+filepath.Ext(exe))
	return host.Place{OS: runtime.GOOS, Home: user, Getenv: osGetenv, Program: program, Glob: func(pattern string) []string {
		found, _ := filepath.Glob(pattern)
		return found
	}}, nil
}

// confirmed asks whether to write.
func (c setupCmd) confirmed(w *wiring, files int) bool {
	text := "write this file"
	if files > 1 {
		text = fmt.Sprintf("write these %d files", files)
	}
	call.Say(w.streams.err, text+"? Type yes:")
	line, _ := w.person(0, false).typed()
	return line == "yes" || line == "y"
}

// locked keeps other setups out.
func (c setupCmd) locked(ctx context.Context, w *wiring, do func(change.Log) error) error {
	path, err := w.helper.Records.LockPath("setup")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, credential.LockWait)
	defer cancel()
	held, err := cache.Lock(ctx, path)
	if err != nil {
		return err
	}
	defer held.Release()
	return do(change.Log{Path: w.dir.File("setup.json")})
}

func (c setupCmd) write(ctx context.Context, w *wiring, plans []plan) error {
	return c.locked(ctx, w, func(log change.Log) error {
		for _, p := range plans {
			backup, err := log.Write(p.file, p.text, p.edits)
			if err != nil {
				return credential.Fail(credential.BadInput, p.file.Path+" could not be written", err)
			}
			text := "wrote " + p.file.Path + " (" + p.host + ")"
			if backup != "" {
				text += "; as it was: " + backup
			}
			call.Say(w.streams.err, text)
		}
		undo := "mcp-credential setup --undo"
		if c.Home != "" {
			undo += " --home " + c.Home
		}
		call.Say(w.streams.err, "take it back with: "+undo)
		return nil
	})
}

func (c setupCmd) undo(ctx context.Context, w *wiring) error {
	return c.locked(ctx, w, func(log change.Log) error {
		restored, err := log.Undo()
		for _, path := range restored {
			call.Say(w.streams.err, path+" is as it was")
		}
		switch {
		case err != nil:
			return credential.Fail(credential.BadInput, "not everything could be taken back", err)
		case len(restored) == 0:
			call.Say(w.streams.err, "setup has written nothing")
		}
		return nil
	})
}
