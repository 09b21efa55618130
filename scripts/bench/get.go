package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/helper"
	"github.com/mcp-credential/mcp-credential/internal/home"
	"github.com/mcp-credential/mcp-credential/state"
)

// getBench is a temporary folder with the programs to measure, and homes with tokens cached.
type getBench struct {
	dir     string
	front   string // without the core beside it: a get that is not warm fails here
	empty   string
	homes   map[int]home.Dir // by the number of servers in it
	signIns []func() error   // forget them
	bus     *exec.Cmd
	address string // of the session bus
	missing []string
}

// The numbers of cached servers that are compared. Those of the tenant are Entra ID's: longer tokens, issuers and names.
const (
	few    = 1
	tenant = 2
	many   = 1000
)

// most is how many sign-ins these servers share: the kernel keeps 200 keys for a user, keyrings(7).
const most = 100

func newGetBench(ctx context.Context, bin string) (*getBench, error) {
	dir, err := os.MkdirTemp("", "mcp-credential-bench")
	if err != nil {
		return nil, err
	}
	f := &getBench{dir: dir, homes: map[int]home.Dir{}}
	err = f.buildEmpty(ctx)
	if err == nil {
		err = f.copyFront(bin)
	}
	for _, n := range []int{few, tenant, many} {
		if err == nil {
			err = f.fill(n)
		}
	}
	if err == nil {
		err = os.WriteFile(f.request(), []byte("url="+serverURL(0)+"\n\n"), 0o600)
	}
	if err == nil {
		err = f.check(ctx)
	}
	if err == nil {
		f.startBus(ctx)
		return f, nil
	}
	return nil, errors.Join(err, f.clear())
}

func (f *getBench) clear() error {
	var errs []error
	for _, forget := range f.signIns {
		errs = append(errs, forget())
	}
	if f.bus != nil {
		_ = f.bus.Process.Kill()
		_ = f.bus.Wait()
	}
	return errors.Join(append(errs, os.RemoveAll(f.dir))...)
}

func exe(name string) string {
	if runtime.GOOS == "windows" {
		return name + ".exe"
	}
	return name
}

// buildEmpty builds the yardstick with the flags of make build.
func (f *getBench) buildEmpty(ctx context.Context) error {
	source := filepath.Join(f.dir, "empty.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		return err
	}
	f.empty = filepath.Join(f.dir, exe("empty"))
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", f.empty, source)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the empty program: %w: %s", err, out)
	}
	return nil
}

func (f *getBench) copyFront(bin string) error {
	data, err := os.ReadFile(filepath.Join(bin, exe("mcp-credential")))
	if err != nil {
		return fmt.Errorf("the program is not built, run make build: %w", err)
	}
	f.front = filepath.Join(f.dir, exe("mcp-credential"))
	return os.WriteFile(f.front, data, 0o700)
}

func serverURL(i int) string { return fmt.Sprintf("https://server-%d.example.com/mcp", i) }

// accessToken has the size of a usual JSON web token.
var accessToken = strings.Repeat("eyJhbGciOiJS", 100)

// answer is what a get prints in a home.
func answer(servers int) string {
	if servers == tenant {
		return strings.Repeat(accessToken, 2)
	}
	return accessToken
}

// sample is the token that every server of a home gets.
func sample(servers int) credential.Token {
	t := credential.Token{Access: credential.NewSecret(answer(servers)), Type: "Bearer", Issuer: "https://id.example.com"}
	if servers == tenant {
		t.Issuer = "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0"
		t.Account = "somebody.with.a.long.name@subsidiary.example.onmicrosoft.com"
		t.Scopes = []string{"api://00001111-aaaa-2222-bbbb-3333cccc4444/user_impersonation"}
	}
	return t
}

// fill makes a home in which n servers have a valid token.
func (f *getBench) fill(n int) error {
	dir, err := home.Find(filepath.Join(f.dir, fmt.Sprint("home-", n)), os.Getenv)
	if err == nil {
		err = dir.Create()
	}
	if err != nil {
		return err
	}
	f.homes[n] = dir
	store := cache.Open(dir, cache.SystemKeys(dir.ID))
	for i := range n {
		if err := f.keep(store, i, sample(n)); err != nil {
			return err
		}
	}
	return nil
}

func (f *getBench) keep(store *cache.Store, i int, t credential.Token) error {
	url, account, now := serverURL(i), fmt.Sprint(i%most), time.Now()
	signIn := credential.SignInID(t.Issuer, "client", account, "")
	id := credential.TokenID(signIn, url, url, nil)
	key := credential.NewSecret(fmt.Sprintf("%032d", i%most))
	if i < most {
		f.signIns = append(f.signIns, func() error { return store.Forget(signIn) })
	}
	t.Obtained, t.Expiry, t.RefreshAt, t.Resource, t.Server = now, now.Add(time.Hour), now.Add(50*time.Minute), url, url
	if err := store.Keep(key, signIn, id, t); err != nil {
		return fmt.Errorf("cache a token: %w", err)
	}
	return store.Point(credential.Query{URL: url}, cache.Pointer{URL: url, SignIn: signIn, TokenID: id})
}

// environ is what a measured process sees.
func (f *getBench) environ(servers int, more ...string) []string {
	env := append([]string{"MCPCRED_HOME=" + f.homes[servers].Path}, more...)
	for _, name := range []string{"PATH", "HOME", "USERPROFILE", "SYSTEMROOT"} {
		if value := os.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// check holds the measured calls to the right answer.
func (f *getBench) check(ctx context.Context) error {
	for _, servers := range []int{few, tenant, many} {
		cmd := exec.CommandContext(ctx, f.front, "get", serverURL(0))
		cmd.Env = f.environ(servers)
		out, err := cmd.Output()
		if err != nil || string(out) != answer(servers)+"\n" {
			return fmt.Errorf("a warm get with %d servers: %w, %d bytes", servers, err, len(out))
		}
	}
	return nil
}

// startBus starts a session bus where this machine has one to start.
func (f *getBench) startBus(ctx context.Context) {
	const program = "dbus-daemon"
	path, err := exec.LookPath(program)
	if err == nil {
		f.bus = exec.CommandContext(ctx, path, "--session", "--nofork", "--nopidfile", "--print-address")
		f.address, err = begin(f.bus)
	}
	if err != nil {
		f.bus = nil
		f.missing = append(f.missing, "not measured with a session bus: "+err.Error())
	}
}

// begin starts cmd and returns its first line.
func begin(cmd *exec.Cmd) (string, error) {
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return "", err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimSpace(line), nil
}

func (f *getBench) request() string { return filepath.Join(f.dir, "request") }

// pairs is what is measured.
func (f *getBench) pairs() []pair {
	url := serverURL(0)
	get := func(name string, servers int, args ...string) process {
		return process{name: name, argv: append([]string{f.front, "get"}, args...), env: f.environ(servers)}
	}
	empty := process{name: "an empty Go program", argv: []string{f.empty}, env: f.environ(few)}
	one, thousand := get("get, 1 server", few, url), get("get, 1,000 servers", many, url)
	headers := get("get --output headers", few, "--output", "headers", url)
	again := helper.Repeats{Records: state.Records{Dir: f.homes[few]}, Now: time.Now}
	headers.before = func() { again.Checked(credential.Query{URL: url}) } // or the core would ask the server, as the same headers were just served
	git := get("get --input git, by stdin", few, "--input", "git")
	git.stdin = f.request()
	bus := get("get beside a session bus", few, url)
	bus.env = f.environ(few, "DBUS_SESSION_BUS_ADDRESS="+f.address)
	pairs := []pair{
		{a: empty, b: one, limit: startLimit}, {a: empty, b: thousand, limit: startLimit},
		{a: empty, b: headers, limit: startLimit}, {a: empty, b: git, limit: startLimit},
		{a: one, b: thousand, limit: alikeLimit}, {a: one, b: get("get, a server of Entra ID", tenant, url), limit: alikeLimit},
	}
	if f.bus != nil {
		pairs = append(pairs, pair{a: one, b: bus, limit: alikeLimit})
	}
	return pairs
}
