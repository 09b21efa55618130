//go:build release && linux

package release

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

// step is a step of action.yml for bash.
type step struct {
	name, run string
	env       map[string]string // variable to input
}

// steps reads the steps of action.yml that bash runs on Linux.
func steps(t *testing.T) (out []step) {
	t.Helper()
	data, err := os.ReadFile("../../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	input := regexp.MustCompile(`^        ([A-Z_]+): \$\{\{ inputs\.([a-z]+) \}\}$`)
	shell := ""
	for _, line := range strings.Split(string(data), "\n") {
		switch {
		case strings.HasPrefix(line, "    - name: "):
			out = append(out, step{name: strings.TrimPrefix(line, "    - name: "), env: map[string]string{}})
			shell = ""
		case strings.HasPrefix(line, "      shell: "):
			shell = strings.TrimPrefix(line, "      shell: ")
		case input.MatchString(line) && len(out) > 0:
			m := input.FindStringSubmatch(line)
			out[len(out)-1].env[m[1]] = m[2]
		case strings.HasPrefix(line, "      run: ") && shell == "bash":
			out[len(out)-1].run = strings.TrimPrefix(line, "      run: ")
		}
	}
	var bash []step
	for _, s := range out {
		if s.run != "" {
			bash = append(bash, s)
		}
	}
	if len(bash) != 2 {
		t.Fatalf("steps of bash: %+v", bash)
	}
	return bash
}

// runner runs the action as GitHub's does: files for what steps leave to each other, and a log in which what was masked is ***.
type runner struct {
	t          *testing.T
	dir        string
	env        []string
	masks      []string
	log        strings.Builder
	unfiltered string
}

func (r *runner) file(name string) string { return filepath.Join(r.dir, name) }

func (r *runner) lines(name string) []string {
	data, _ := os.ReadFile(r.file(name))
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}

// run runs one step with the inputs, and reports how it ended.
func (r *runner) run(s step, inputs map[string]string) error {
	action, err := filepath.Abs("../..")
	if err != nil {
		r.t.Fatal(err)
	}
	path := strings.Join(append(r.lines("path"), os.Getenv("PATH")), ":")
	c := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", s.run)
	c.Env = append([]string{"CI=true", "HOME=" + r.dir, "RUNNER_TEMP=" + r.file("temp"), "GITHUB_ACTION_PATH=" + action,
		"GITHUB_PATH=" + r.file("path"), "GITHUB_ENV=" + r.file("env"), "PATH=" + strings.TrimPrefix(path, ":")}, r.env...)
	for name, input := range s.env {
		c.Env = append(c.Env, name+"="+inputs[input])
	}
	out, err := c.CombinedOutput()
	r.unfiltered += string(out)
	for lines := bufio.NewScanner(strings.NewReader(string(out))); lines.Scan(); {
		if mask, ok := strings.CutPrefix(lines.Text(), "::add-mask::"); ok {
			r.masks = append(r.masks, mask)
		}
		line := lines.Text()
		for _, mask := range r.masks {
			line = strings.ReplaceAll(line, mask, "***")
		}
		r.log.WriteString(line + "\n")
	}
	return err
}

func TestAction(t *testing.T) {
	w, err := fakeworld.Start(fakeworld.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	releases := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		http.ServeFile(rw, r, filepath.Join(dist, filepath.Base(r.URL.Path)))
	}))
	t.Cleanup(releases.Close)
	inputs := map[string]string{"version": "1.2.3", "url": w.ServerURL(), "name": "MCP_TOKEN"}
	newRunner := func() *runner {
		r := &runner{t: t, dir: t.TempDir(), env: []string{"MCP_CREDENTIAL_RELEASES=" + releases.URL}}
		if err := os.MkdirAll(r.file(".mcp-credential"), 0o700); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{
			"secret": fakeworld.ConfidentialSecret + "\n",
			".mcp-credential/config.toml": "[servers.\"" + w.ServerURL() + "\"]\nidentity = \"client-credentials\"\nissuer = \"" + w.Issuer() + "\"\nclient_id = \"" +
				fakeworld.ConfidentialClient + "\"\nclient_secret_file = \"" + r.file("secret") + "\"\nscopes = [\"mcp:read\"]\n",
		} {
			if err := os.WriteFile(r.file(name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return r
	}

	r := newRunner()
	for _, s := range steps(t) {
		if err := r.run(s, inputs); err != nil {
			t.Fatalf("%s: %v\n%s", s.name, err, r.log.String())
		}
	}
	name, token, _ := strings.Cut(r.lines("env")[0], "=")
	if name != "MCP_TOKEN" || len(r.masks) != 1 || token != r.masks[0] || strings.Contains(r.log.String(), token) {
		t.Errorf("%d masks; the log:\n%s", len(r.masks), r.log.String())
	}

	inputs["run"] = `curl --silent --fail --show-error -o /dev/null -H "Authorization: Bearer $MCP_TOKEN" -H 'Content-Type: application/json' -d '{}' ` + w.ServerURL() + ` && echo "it was $MCP_TOKEN"`
	one := newRunner()
	for _, s := range steps(t) {
		if err := one.run(s, inputs); err != nil {
			t.Fatalf("%s: %v\n%s", s.name, err, one.log.String())
		}
	}
	if left := one.lines("env"); left[0] != "" || !strings.Contains(one.log.String(), "it was ***\n") {
		t.Errorf("left in the environment %d lines; the log:\n%s", len(left), one.log.String())
	}

	inputs["name"] = "X=1\nY"
	if err := newRunner().run(steps(t)[1], inputs); err == nil {
		t.Error("a name with a line end was taken")
	}
}
