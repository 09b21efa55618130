package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary stand in for the program.
func TestMain(m *testing.M) {
	if os.Getenv("FAKEWORLD_TEST_MAIN") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func program(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Args[0] = name
	cmd.Env = append(os.Environ(), "FAKEWORLD_TEST_MAIN=1")
	return cmd
}

type place struct{ Server, Issuer, Control string }

// served starts the program and returns where it listens and a function that ends its stdin and waits for it.
func served(t *testing.T, args ...string) (place, func() error) {
	t.Helper()
	cmd := program(t, "fakeworld", args...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	var p place
	if err != nil || json.Unmarshal(line, &p) != nil {
		t.Fatalf("the program said %q: %v", line, err)
	}
	return p, func() error {
		_ = stdin.Close()
		return cmd.Wait()
	}
}

func TestServeUntilStdinEnds(t *testing.T) {
	p, end := served(t, "-paths", "/a /b", "-scopes", "x y", "-issuer-path", "/t", "-knobs", `{"challenge_scopes":["z"]}`)
	if !strings.HasSuffix(p.Server, "/a") || !strings.HasSuffix(p.Issuer, "/t") || p.Control == "" {
		t.Errorf("it is at %+v", p)
	}
	resp, err := http.Get(p.Server)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if c := resp.Header.Get("WWW-Authenticate"); resp.StatusCode != 401 || !strings.Contains(c, `scope="z"`) {
		t.Errorf("the server answered %d %q", resp.StatusCode, c)
	}
	if err := end(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestBrowser(t *testing.T) {
	p, end := served(t)
	defer func() { _ = end() }()
	dir := t.TempDir()
	target := p.Control + "/_stats"
	for name, args := range map[string][]string{"fakeworld": {"browser", target}, "/x/fakebrowser": {target}} {
		cmd := program(t, name, args...)
		log, page := filepath.Join(dir, "log"), filepath.Join(dir, "page")
		cmd.Env = append(cmd.Env, "FAKEBROWSER_LOG="+log, "FAKEBROWSER_PAGE="+page)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) != 0 {
			t.Errorf("%s: %v %s", name, err, out)
		}
		if body, err := os.ReadFile(page); err != nil || !json.Valid(body) {
			t.Errorf("%s: the page is %q %v", name, body, err)
		}
	}
	if log, err := os.ReadFile(filepath.Join(dir, "log")); err != nil || string(log) != strings.Repeat(target+"\n", 2) {
		t.Errorf("the log is %q %v", log, err)
	}
}

func TestTLS(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cert.pem")
	p, end := served(t, "-tls-cert", file)
	defer func() { _ = end() }()
	if cert, err := os.ReadFile(file); err != nil || !strings.Contains(string(cert), "BEGIN CERTIFICATE") || !strings.HasPrefix(p.Server, "https:") {
		t.Errorf("at %s: %v %s", p.Server, err, cert)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"fakeworld", "-nonsense"}, {"fakeworld", "-knobs", `{"x":1}`}, {"fakeworld", "browser"}, {"fakebrowser", "a", "b"}} {
		if err := run(t.Context(), args, strings.NewReader(""), io.Discard); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}

func TestSignalEndsIt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	stdin, stop := io.Pipe() // says nothing, and does not end
	defer stop.Close()
	r, out := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- run(ctx, []string{"fakeworld"}, stdin, out) }()
	if _, err := bufio.NewReader(r).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
