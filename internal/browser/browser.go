// Package browser shows a URL to the person at this machine and knows whether there is one to show it to. Which URL may
// be shown is judged by the caller; no shell ever sees it (CVE-2025-6514).
package browser

import (
	"context"
	"errors"
	"os/exec"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// Variable names a program that gets the URL as its one argument.
const Variable = "BROWSER"

// settle is how long an opener may take to fail; one that still runs then has opened something.
const settle = 3 * time.Second

// Open has the URL opened by $BROWSER, else by the desktop. The program gets no handle of ours.
func Open(ctx context.Context, url string, getenv func(string) string) error {
	if err := credential.CheckEndpoint(url, "address to open"); err != nil {
		return err
	}
	name, args, err := opener(getenv)
	if err != nil {
		return credential.Fail(credential.NoSignIn, "no browser can be opened here", err)
	}
	cmd := exec.Command(name, append(args, url)...)
	cmd.SysProcAttr = detached()
	if err := cmd.Start(); err != nil {
		return credential.Fail(credential.NoSignIn, "the browser cannot be started", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	timer := time.NewTimer(settle)
	defer timer.Stop()
	select {
	case err := <-ended:
		if err != nil {
			return credential.Fail(credential.NoSignIn, "the browser could not be opened", err)
		}
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// opener returns the program that opens URLs, and what goes before the URL.
func opener(getenv func(string) string) (string, []string, error) {
	if name := getenv(Variable); name != "" {
		path, err := exec.LookPath(name)
		return path, nil, err
	}
	return desktop(getenv)
}

// Reachable reports whether a browser that opens here would be seen by somebody.
func Reachable(getenv func(string) string) bool {
	_, _, err := opener(getenv)
	return err == nil && Seen(getenv)
}

// Seen reports whether somebody would see a browser that opens here, if one is installed.
func Seen(getenv func(string) string) bool { return getenv(Variable) != "" || hasDesktop(getenv) }

// CI reports whether this is an automated run, in which nobody may be asked: the variable that GitHub, GitLab, CircleCI
// and most others set, or the one of Azure Pipelines.
func CI(getenv func(string) string) bool {
	ci := getenv("CI")
	return ci != "" && ci != "false" && ci != "0" || getenv("TF_BUILD") != ""
}

func overSSH(getenv func(string) string) bool {
	return getenv("SSH_CONNECTION") != "" || getenv("SSH_TTY") != ""
}

func firstFound(names ...string) (string, error) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("none of the usual programs is installed; set " + Variable + " to one")
}
