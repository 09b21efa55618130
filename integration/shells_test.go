//go:build integration && linux

package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Each shell is asked what can follow, as it asks its completion: fish itself, bash by the variables that it sets, and zsh with
// its builtin that takes the candidates replaced.
func TestCompletions(t *testing.T) {
	u := bareUser(t).with("PATH=" + os.Getenv(binVariable) + ":" + os.Getenv("PATH"))
	world := strictWorld(t)
	u.configure(`store = "file"`, `passphrase_file = "`+u.path("passphrase")+`"`)
	u.write("passphrase", "only-for-tests")
	u.must("login", world.ServerURL())
	server := world.ServerURL()
	shells := map[string]func(line string) []string{
		"bash": func(line string) []string {
			return []string{"bash", "--norc", "-c", `source <(mcp-credential completion bash)
COMP_LINE=$1 COMP_POINT=${#1}
# the words as bash takes them apart: at blanks, : and =
read -ra COMP_WORDS <<<"$(sed 's/[:=]/ & /g' <<<"$1")"
[[ $1 == *[\ :=] ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
before=${1##* } part=${COMP_WORDS[COMP_CWORD]}
_mcp_credential
for found in "${COMPREPLY[@]}"; do echo "${before%"$part"}$found"; done`, "bash", line}
		},
		"zsh": func(line string) []string {
			return []string{"zsh", "-f", "-c", `compdef() { : }
compadd() { shift 4; print -rl -- "$@" }
_files() { print files }
source <(mcp-credential completion zsh)
words=("${(@s: :)1}") CURRENT=$#words
_mcp-credential`, "zsh", line}
		},
		"fish": func(line string) []string {
			return []string{"fish", "--no-config", "-c", `mcp-credential completion fish | source; complete -C $argv[1] | string replace -r '\t.*' ''; true`, line}
		},
	}
	for shell, ask := range shells {
		for line, want := range map[string][]string{
			"mcp-credential st":                                    {"store", "status"},
			"mcp-credential status --o":                            {"--output"},
			"mcp-credential status --output ":                      {"table", "json"},
			"mcp-credential setup code":                            {"codex"},
			"mcp-credential logout http":                           {server},
			"mcp-credential logout " + server[:len("http://127.")]: {server},
		} {
			words := ask(line)
			r := u.say("", words[0], words[1:]...)
			got := strings.Fields(r.stdout)
			slices.Sort(got)
			slices.Sort(want)
			if r.code != 0 || !slices.Equal(got, want) {
				t.Errorf("%s, %q: exit %d, %q, not %q; %s", shell, line, r.code, got, want, r.stderr)
			}
		}
	}
}

// The manual pages are what mandoc takes without a word but for the date, which would differ between two builds of one source.
func TestManualPages(t *testing.T) {
	u := bareUser(t)
	u.must("man", u.path("man"))
	pages, err := filepath.Glob(u.path("man", "*.1"))
	if err != nil || len(pages) < 10 {
		t.Fatalf("%v %v", pages, err)
	}
	r := u.say("", "mandoc", append([]string{"-T", "lint", "-W", "warning"}, pages...)...)
	for _, line := range strings.Split(strings.TrimSpace(r.stdout+r.stderr), "\n") {
		if !strings.Contains(line, "missing date") {
			t.Error(line)
		}
	}
	text, err := os.ReadFile(u.path("man", "mcp-credential-get.1"))
	if err != nil || !strings.Contains(string(text), `\-\-output`) {
		t.Errorf("%v %s", err, text)
	}
}
