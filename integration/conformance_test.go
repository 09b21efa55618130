//go:build integration && linux

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// nodeScript runs scripts of the npm packages in scripts/conformance.
const nodeScript = "../scripts/conformance/node.sh"

// suiteRow is a row of docs/conformance.md: a run of the official suite and what came of it.
type suiteRow struct {
	suite string // conformance-stable or conformance-alpha
	args  string
	counts
}

// counts are those of the suite's summary.
type counts struct{ scenarios, passed, failed, warnings int }

// TestConformance puts the bridge under the official conformance suite, and holds docs/conformance.md and the list of
// expected failures to what comes of it.
func TestConformance(t *testing.T) {
	listed := expectedFailures(t)
	met := map[string]bool{}
	for _, row := range suiteRows(t) {
		t.Run(row.suite+" "+row.args, func(t *testing.T) {
			summary := runSuite(t, row)
			if got := suiteTotal(t, summary); got != row.counts {
				t.Errorf("docs/conformance.md says %+v, the suite %+v", row.counts, got)
			}
			for name, passed := range scenarios(summary) {
				met[name] = true
				switch {
				case passed && listed[name]:
					t.Errorf("%s passes: take it off the list of expected failures", name)
				case !passed && !listed[name]:
					t.Errorf("%s fails", name)
				}
			}
		})
	}
	for name := range listed {
		if !met[name] {
			t.Errorf("%s stands among the expected failures and was not run", name)
		}
	}
}

// runSuite returns the summary. The suite ends with an error where anything fails; that is judged from the summary.
func runSuite(t *testing.T, row suiteRow) string {
	t.Helper()
	dir := t.TempDir()
	args := append([]string{row.suite + "/dist/index.js"}, strings.Fields(row.args)...)
	c := exec.CommandContext(t.Context(), nodeScript, append(args, "--command", bin("driver"), "--output-dir", filepath.Join(dir, "results"))...)
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir}
	out, _ := c.CombinedOutput()
	_, summary, found := strings.Cut(string(out), "=== SUITE SUMMARY ===")
	if !found {
		t.Fatalf("the suite has no summary:\n%s", out)
	}
	if t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s", out)
		}
	}); !strings.Contains(summary, "Total: ") {
		t.Fatalf("the summary has no total:\n%s", summary)
	}
	return summary
}

var (
	scenarioLine = regexp.MustCompile(`(?m)^([✓✗]) (\S+): \d+ passed`)
	totalLine    = regexp.MustCompile(`(?m)^Total: (\d+) passed, (\d+) failed, (\d+) warnings$`)
	documentLine = regexp.MustCompile("(?m)^\\| `(conformance-\\w+)` +\\| `(client [^`]+)` +\\| +(\\d+) +\\| +(\\d+) +\\| +(\\d+) +\\| +(\\d+) +\\|$")
	listedLine   = regexp.MustCompile(`(?m)^  - (\S+)$`)
)

func scenarios(summary string) map[string]bool {
	out := map[string]bool{}
	for _, m := range scenarioLine.FindAllStringSubmatch(summary, -1) {
		out[m[2]] = m[1] == "✓"
	}
	return out
}

func suiteTotal(t *testing.T, summary string) counts {
	t.Helper()
	m := totalLine.FindStringSubmatch(summary)
	if m == nil {
		t.Fatalf("the summary has another form:\n%s", summary)
	}
	return counts{len(scenarios(summary)), number(t, m[1]), number(t, m[2]), number(t, m[3])}
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func suiteRows(t *testing.T) []suiteRow {
	t.Helper()
	data, err := os.ReadFile("../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []suiteRow
	for _, m := range documentLine.FindAllStringSubmatch(string(data), -1) {
		rows = append(rows, suiteRow{m[1], m[2], counts{number(t, m[3]), number(t, m[4]), number(t, m[5]), number(t, m[6])}})
	}
	if len(rows) != 4 {
		t.Fatalf("docs/conformance.md has %d runs", len(rows))
	}
	return rows
}

func expectedFailures(t *testing.T) map[string]bool {
	t.Helper()
	data, err := os.ReadFile("../scripts/conformance/expected-failures.yaml")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, m := range listedLine.FindAllStringSubmatch(string(data), -1) {
		out[m[1]] = true
	}
	if len(out) == 0 && !strings.Contains(string(data), "\nclient: []\n") {
		t.Fatal("the list of expected failures has another form")
	}
	return out
}
