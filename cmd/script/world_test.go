package script

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// startWorld: world [-as PREFIX_] [FLAG...] starts a fakeworld for the rest of the script, with fakeworld's flags. It
// sets URL (and URL2, URL3, ... for further servers), ISSUER and CONTROL, each after PREFIX_. "world entra [FLAG...]" starts
// a tenant of Entra ID, sets CLIENT, and leads the programs to it by proxy and certificate. When the script ends, no
// secret that this world has handed out may be found in a file or, on Linux, in the arguments of a process.
func startWorld(ts *testscript.TestScript, args []string) {
	prefix := ""
	if len(args) > 1 && args[0] == "-as" {
		prefix, args = args[1], args[2:]
	}
	if len(args) > 0 && args[0] == "entra" {
		cert := filepath.Join(ts.Getenv("WORK"), "ca.pem")
		args = append(slices.Clone(args), "-cert", cert)
		ts.Setenv("SSL_CERT_FILE", cert)
	}
	where, stop, err := launchWorld(args)
	ts.Check(err)
	ts.Defer(stop)
	if where.Proxy != "" {
		ts.Setenv("HTTPS_PROXY", where.Proxy)
		ts.Setenv("CLIENT", where.Client)
	}
	ts.Setenv(prefix+"ISSUER", where.Issuer)
	ts.Setenv(prefix+"CONTROL", where.Control)
	for i, server := range where.Servers {
		name := prefix + "URL"
		if i > 0 {
			name += fmt.Sprint(i + 1)
		}
		ts.Setenv(name, server)
	}
	work := ts.Getenv("WORK")
	ts.Defer(func() {
		if err := unsealed(where.Control, work); err != nil {
			ts.Value(keyT).(interface{ Errorf(string, ...any) }).Errorf("%v", err)
		}
	})
}

type whereabouts struct {
	Issuer  string   `json:"issuer"`
	Control string   `json:"control"`
	Servers []string `json:"servers"`
	Proxy   string   `json:"proxy"`
	Client  string   `json:"client"`
}

// launchWorld starts the program, which ends with its stdin: so it cannot outlive this test.
func launchWorld(args []string) (whereabouts, func(), error) {
	var where whereabouts
	cmd := exec.Command("fakeworld", args...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return where, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return where, nil, err
	}
	if err := cmd.Start(); err != nil {
		return where, nil, err
	}
	stop := func() {
		_ = in.Close()
		_ = cmd.Wait()
	}
	if err := json.NewDecoder(out).Decode(&where); err != nil {
		stop()
		return where, nil, fmt.Errorf("fakeworld did not start: %w", err)
	}
	return where, stop, nil
}

// unsealed looks for the secrets of a world in the files below work and in command lines.
func unsealed(controlURL, work string) error {
	secrets, err := issued(controlURL)
	if err != nil {
		return err
	}
	lines, err := commandLines()
	if err != nil {
		return err
	}
	found := holds(lines, "a command line", secrets)
	return errors.Join(found, filepath.WalkDir(work, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasPrefix(d.Name(), "given-") {
			return err // "given-" is what scripts call files that are to hold a token
		}
		data, err := os.ReadFile(path)
		return errors.Join(err, holds(data, path, secrets))
	}))
}

// nowhereUnsealed looks for the world's secrets now, while detached processes are at work.
func nowhereUnsealed(ts *testscript.TestScript, _ []string) {
	ts.Check(unsealed(ts.Getenv("CONTROL"), ts.Getenv("WORK")))
}

func holds(data []byte, where string, secrets []string) error {
	for _, s := range secrets {
		if bytes.Contains(data, []byte(s)) {
			return fmt.Errorf("%s holds a secret, %s...", where, s[:6])
		}
	}
	return nil
}

func issued(controlURL string) ([]string, error) {
	body, err := get(controlURL + "/_secrets")
	return strings.Fields(string(body)), err
}

// secretless FILE... checks that no secret of the world is in the files; "stdout" and "stderr" are the last command's.
func secretless(ts *testscript.TestScript, args []string) {
	secrets, err := issued(ts.Getenv("CONTROL"))
	ts.Check(err)
	if len(secrets) < 2 || len(args) == 0 {
		ts.Fatalf("there is nothing to look for")
	}
	for _, name := range args {
		ts.Check(holds([]byte(ts.ReadFile(name)), name, secrets))
	}
}

// control JSON is a command for the world (see fakeworld's control port).
func control(ts *testscript.TestScript, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: control JSON")
	}
	order(ts, args[0])
}

func order(ts *testscript.TestScript, body string) {
	resp, err := http.Post(ts.Getenv("CONTROL")+"/_control", "application/json", strings.NewReader(body))
	ts.Check(err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if resp.StatusCode != http.StatusOK {
		ts.Fatalf("the world answers %s: %s", resp.Status, answer)
	}
}

// knobs JSON lays knobs over the present ones; knobs FILE takes them from a file with environment variables in it.
func knobs(ts *testscript.TestScript, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: knobs JSON|FILE")
	}
	text := args[0]
	if !strings.HasPrefix(text, "{") {
		text = os.Expand(ts.ReadFile(text), ts.Getenv)
	}
	order(ts, `{"knobs":`+text+`}`)
}

// stats KEY WANT compares one count of the world; "stats" alone prints them all to stdout. A key is a member of
// fakeworld.Stats, or "member.entry" for one that is a map; "http" alone is the number of all requests.
func stats(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 && !neg {
		body, err := get(ts.Getenv("CONTROL") + "/_stats")
		ts.Check(err)
		_, _ = ts.Stdout().Write(body)
		return
	}
	if len(args) != 2 {
		ts.Fatalf("usage: stats [KEY WANT]")
	}
	if got := counted(ts, args[0]); (got == args[1]) == neg {
		ts.Fatalf("%s is %s", args[0], got)
	}
}

func counted(ts *testscript.TestScript, name string) string {
	body, err := get(ts.Getenv("CONTROL") + "/_stats")
	ts.Check(err)
	var all map[string]any
	ts.Check(json.Unmarshal(body, &all))
	name, entry, _ := strings.Cut(name, ".")
	value, ok := all[name]
	if !ok {
		ts.Fatalf("there is no count called %s", name)
	}
	entries, isMap := value.(map[string]any)
	switch {
	case !isMap:
		return fmt.Sprint(value)
	case entry != "":
		value, ok = entries[entry]
		if !ok {
			value = 0
		}
		return fmt.Sprint(value)
	}
	sum := 0.0
	for _, n := range entries {
		sum += n.(float64)
	}
	return fmt.Sprint(sum)
}

func get(url string) ([]byte, error) {
	resp, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

// redirectOf NAME URL asks for a page without following it, and puts where it redirects to into an environment variable.
func redirectOf(ts *testscript.TestScript, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: redirect NAME URL")
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Get(args[1])
	ts.Check(err)
	defer resp.Body.Close()
	to, err := resp.Location()
	ts.Check(err)
	ts.Setenv(args[0], to.String())
}

// fetch URL prints a page to stdout.
func fetch(ts *testscript.TestScript, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: fetch URL")
	}
	body, err := get(args[0])
	ts.Check(err)
	_, _ = ts.Stdout().Write(body)
}
