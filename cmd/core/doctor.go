package core

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/cmd/call"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/discovery"
	"github.com/mcp-credential/mcp-credential/doctor"
	"github.com/mcp-credential/mcp-credential/helper"
	"github.com/mcp-credential/mcp-credential/internal/home"
)

type doctorCmd struct {
	common
	URL    string `arg:"" optional:"" help:"Server URL; without one every server that somebody has signed in to."`
	Output string `short:"o" help:"table or json." enum:"table,json" default:"table"`
}

// Run looks at everything that a token needs, and repairs nothing.
func (c doctorCmd) Run(ctx context.Context, s streams) error {
	url := ""
	if c.URL != "" {
		var err error
		if url, err = credential.ParseServerURL(credential.WithScheme(c.URL)); err != nil {
			return err
		}
	}
	dir, err := home.Find(c.Home, osGetenv)
	if err != nil {
		return err
	}
	w := wireHome(dir, c.common, s)
	checks, err := c.checks(w, url)
	if err != nil {
		return err
	}
	look := styleOf(s.out)
	subject := ""
	found := doctor.Run(ctx, checks, func(check doctor.Check, f doctor.Finding) {
		if c.Output != "table" {
			return
		}
		if strings.Contains(check.Subject, "://") && check.Subject != subject {
			subject = check.Subject
			fmt.Fprintf(s.out, "\n%s\n", subject)
		}
		if subject != "" {
			f.Check = check.Name
		}
		_, _ = s.out.Write(look.finding(f))
	})
	if c.Output == "json" {
		enc := json.NewEncoder(s.out)
		enc.SetIndent("", "  ")
		if err := enc.Encode(found); err != nil {
			return err
		}
	}
	if doctor.Failed(found) {
		return exitCode(1)
	}
	return nil
}

func (c doctorCmd) checks(w *wiring, url string) ([]doctor.Check, error) {
	p, err := place()
	if err != nil {
		return nil, err
	}
	m := doctor.Machine{
		Version: version(), Program: p.Program, VersionOf: versionOf, LookPath: exec.LookPath, Getenv: osGetenv, User: p.Home,
		Home: w.dir, Config: func() error { return w.broken }, Records: w.helper.Records, Keys: cache.SystemKeys(w.dir.ID),
		Keychain: w.keychain, HTTP: w.http, Hint: call.Login{Home: c.Home, NoBrowser: noBrowser(), Verb: "doctor"}.Hint, Now: time.Now,
	}
	client := doctor.Client{
		Try: func(ctx context.Context, url string, token credential.Token) (discovery.Reply, error) {
			f, err := sources{w}.finder(w.trace)
			if err != nil {
				return discovery.Reply{}, err
			}
			return f.Try(ctx, url, token)
		},
		Find: func(ctx context.Context, url string) (found helper.Found, steps []string, err error) {
			found, err = sources{w}.findTelling(ctx, url, w.settings(url), func(step string) {
				steps = append(steps, step)
				w.trace(step)
			})
			return found, steps, err
		},
		Lines: w.helper.Status,
		Get: func(ctx context.Context, url, account string) (credential.Token, error) {
			return w.helper.Get(ctx, helper.Ask{Query: credential.Query{URL: url, Account: account}, Wait: credential.WaitDefault, Proves: true})
		},
		Registered: func(url string) bool { return w.config.Servers[url].ClientID != "" },
	}
	hosts := doctor.Hosts{Machine: m, Place: p, ReadFile: os.ReadFile, URL: url, Exists: func(path string) bool {
		info, err := os.Stat(path)
		return err == nil && !info.IsDir()
	}}
	return doctor.Checks(m, client, hosts, url), nil
}

// versionOf asks a program of ours for its version, without the variables that would have it do something else.
func versionOf(ctx context.Context, program string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, credential.DoctorStep)
	defer cancel()
	var out, words bytes.Buffer
	cmd := exec.CommandContext(ctx, program, "--version")
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &words, credential.DoctorStep
	if err := cmd.Run(); err != nil {
		line, _, _ := strings.Cut(words.String(), "\n")
		return "", errors.New(credential.Printable(strings.TrimPrefix(line, call.Program+": ")+" ("+err.Error()+")", 300))
	}
	fields := strings.Fields(out.String())
	if len(fields) < 2 {
		return "", errors.New("it does not say its version")
	}
	return credential.Printable(fields[1], 100), nil
}
