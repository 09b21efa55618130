//go:build release && linux

// Package release installs, uses and removes what "make snapshot" has put into dist, as its users will.
package release

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
)

const dist = "../../dist"

// built is the one file in dist that a pattern names.
func built(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dist, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %v %v; run make snapshot first", pattern, found, err)
	}
	full, err := filepath.Abs(found[0])
	if err != nil {
		t.Fatal(err)
	}
	return full
}

// server is where releases are, as GitHub lays them out. What broken returns takes the place of a file.
func server(t *testing.T, broken func(name string) []byte) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, ok := strings.CutPrefix(r.URL.Path, "/releases/latest/download/")
		if !ok {
			http.NotFound(w, r)
			return
		}
		if data := broken(name); data != nil {
			_, _ = w.Write(data)
			return
		}
		http.ServeFile(w, r, filepath.Join(dist, filepath.Base(name)))
	}))
	t.Cleanup(s.Close)
	return s.URL + "/releases"
}

func intact(string) []byte { return nil }

// install runs install.sh for a user whose home is empty.
func install(t *testing.T, home, releases string, args ...string) (string, error) {
	t.Helper()
	c := exec.Command("sh", append([]string{"../../scripts/install.sh"}, args...)...)
	c.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "MCP_CREDENTIAL_RELEASES=" + releases}
	out, err := c.CombinedOutput()
	return string(out), err
}

// files are the paths of all files below dir.
func files(t *testing.T, dir string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			paths = append(paths, rel)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return paths
}

func TestInstallScript(t *testing.T) {
	home := t.TempDir()
	out, err := install(t, home, server(t, intact))
	if err != nil || !strings.Contains(out, "installed mcp-credential ") || !strings.Contains(out, `add it to PATH: export PATH="`+home+"/.local/bin:") {
		t.Fatalf("%v\n%s", err, out)
	}
	signsIn(t, filepath.Join(home, ".local/bin"))
	if out, err = install(t, home, server(t, intact)); err != nil {
		t.Fatalf("again: %v\n%s", err, out)
	}
	there := files(t, home)
	for _, want := range []string{
		".local/bin/git-credential-mcp", ".local/bin/docker-credential-mcp", ".local/bin/cargo-credential-mcp", ".local/bin/mcp-credential-core", ".local/share/man/man1/mcp-credential-get.1",
		".local/share/bash-completion/completions/mcp-credential",
	} {
		if !slices.Contains(there, want) {
			t.Errorf("%s is not among %v", want, there)
		}
	}
	if out, err = install(t, home, "https://unused.invalid", "--uninstall"); err != nil || len(files(t, home)) > 0 {
		t.Errorf("left after --uninstall: %v; %v\n%s", files(t, home), err, out)
	}
}

func TestInstallScriptRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		releases string
		args     []string
		want     string
	}{
		"an archive that is not the listed one": {server(t, func(name string) []byte {
			if strings.HasSuffix(name, ".tar.gz") {
				return []byte("something else")
			}
			return nil
		}), nil, "is not what the release lists"},
		"a list without this system": {server(t, func(name string) []byte {
			if name == "checksums.txt" {
				return []byte(strings.Repeat("0", 64) + "  mcp-credential_1_plan9_amd64.tar.gz\n")
			}
			return nil
		}), nil, "has nothing for linux"},
		"no release":     {server(t, intact), []string{"--version", "9.9.9"}, "there is no release at"},
		"a strange name": {server(t, intact), []string{"--version", "../x"}, "is no version"},
		"plain http":     {"http://example.com/releases", nil, "by https alone"},
		"a prefix":       {server(t, intact), []string{"--prefix", "here"}, "absolute path"},
	} {
		home := t.TempDir()
		out, err := install(t, home, c.releases, c.args...)
		if err == nil || !strings.Contains(out, c.want) || len(files(t, home)) > 0 {
			t.Errorf("%s: %v, left %v\n%s", name, err, files(t, home), out)
		}
	}
}

// TestDeb installs the package with dpkg below a folder, uses it, and removes it.
func TestDeb(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"updates", "info", "triggers"} {
		if err := os.MkdirAll(filepath.Join(root, "var/lib/dpkg", dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"status", "available"} {
		if err := os.WriteFile(filepath.Join(root, "var/lib/dpkg", file), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	dpkg := func(args ...string) {
		t.Helper()
		c := exec.Command("dpkg", append([]string{"--root=" + root, "--log=/dev/null", "--force-not-root", "--force-script-chrootless"}, args...)...)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("dpkg %s: %v\n%s", args, err, out)
		}
	}
	dpkg("--install", built(t, "mcp-credential_*_"+runtime.GOARCH+".deb"))
	if to, err := os.Readlink(filepath.Join(root, "usr/bin/git-credential-mcp")); err != nil || to != "mcp-credential" {
		t.Errorf("the link for git leads to %q: %v", to, err)
	}
	for _, file := range []string{"usr/share/man/man1/mcp-credential.1", "usr/share/bash-completion/completions/mcp-credential", "usr/share/doc/mcp-credential/copyright"} {
		if _, err := os.Stat(filepath.Join(root, file)); err != nil {
			t.Error(err)
		}
	}
	signsIn(t, filepath.Join(root, "usr/bin"))
	dpkg("--remove", "mcp-credential")
	if left := files(t, filepath.Join(root, "usr")); len(left) > 0 {
		t.Errorf("left after the removal: %v", left)
	}
}

// signsIn signs in with the programs of a folder, gets a token, refreshes it and signs out.
func signsIn(t *testing.T, bin string) {
	t.Helper()
	w, err := fakeworld.Start(fakeworld.Options{Rotate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "passphrase"), []byte("only-for-tests"), 0o600); err != nil {
		t.Fatal(err)
	}
	browser := filepath.Join(dir, "fakebrowser")
	if out, err := exec.Command("go", "build", "-o", browser, "../../internal/fakeworld/cmd/fakeworld").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := func(args ...string) string {
		t.Helper()
		c := exec.Command(filepath.Join(bin, "mcp-credential"), args...)
		c.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "BROWSER=" + browser, "MCPCRED_STORE=file", "MCPCRED_PASSPHRASE_FILE=" + filepath.Join(dir, "passphrase")}
		var out, words bytes.Buffer
		c.Stdout, c.Stderr = &out, &words
		if err := c.Run(); err != nil {
			t.Fatalf("%s: %v\n%s", args, err, words.String())
		}
		return out.String()
	}
	if out := run("version"); !strings.Contains(out, "-next") || strings.Count(out, ", ") != 3 {
		t.Errorf("version: %s", out)
	}
	run("login", w.ServerURL())
	first := run("get", w.ServerURL())
	run("erase", w.ServerURL())
	if second := run("get", w.ServerURL()); second == first || second == "" {
		t.Error("no other token after erase")
	}
	run("logout", w.ServerURL())
}

// TestArtifacts: everything that a release is announced with is there, for each system.
func TestArtifacts(t *testing.T) {
	sums, err := os.ReadFile(filepath.Join(dist, "checksums.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var missing []string
	for _, arch := range []string{"amd64", "arm64"} {
		for _, end := range []string{"_linux_" + arch + ".tar.gz", "_darwin_" + arch + ".tar.gz", "_windows_" + arch + ".zip", "_" + arch + ".deb"} {
			if !bytes.Contains(sums, []byte(end+"\n")) {
				missing = append(missing, end)
			}
		}
	}
	for _, arch := range []string{"x86_64", "aarch64"} {
		for _, end := range []string{arch + ".rpm", arch + ".apk", arch + ".pkg.tar.zst"} {
			if !bytes.Contains(sums, []byte(end+"\n")) {
				missing = append(missing, end)
			}
		}
	}
	if len(missing) > 0 {
		t.Errorf("missing: %v in\n%s", missing, sums)
	}
	for _, manifest := range []string{"homebrew/Casks/mcp-credential.rb", "scoop/mcp-credential.json", "winget/manifests/m/mcp-credential/mcp-credential/*/mcp-credential.mcp-credential.yaml"} {
		built(t, manifest)
	}
	var sbom struct {
		Components []struct{ Name string }
	}
	data, err := os.ReadFile(built(t, "mcp-credential-core_*_linux_amd64.cdx.json"))
	if err == nil {
		err = json.Unmarshal(data, &sbom)
	}
	if err != nil || len(sbom.Components) < 10 {
		t.Errorf("the list of modules: %v, %d components", err, len(sbom.Components))
	}
}
