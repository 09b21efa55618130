package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// lessons are the rows of lessons.md: links, a lesson, and a test.
func lessons(t *testing.T) [][]string {
	t.Helper()
	var rows [][]string
	for _, line := range strings.Split(read(t, "lessons.md"), "\n") {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if strings.HasPrefix(line, "| [") {
			rows = append(rows, cells)
		}
	}
	if len(rows) < 25 {
		t.Fatalf("only %d lessons were found", len(rows))
	}
	return rows
}

// TestLessonsHaveTests: each row of lessons.md has public addresses and names a test that is there and bears the name of the CVE or
// thread.
func TestLessonsHaveTests(t *testing.T) {
	link, named := regexp.MustCompile(`\[([^]]+)\]\(https://[^ )]+\)`), regexp.MustCompile("^`([^`]+)`$")
	tests, seen := testFiles(t), map[string]bool{}
	for _, cells := range lessons(t) {
		if len(cells) != 3 || !named.MatchString(cells[2]) {
			t.Errorf("not three cells with a test in the last: %q", cells)
			continue
		}
		test := named.FindStringSubmatch(cells[2])[1]
		if !testExists(tests, test) {
			t.Errorf("%s does not exist", test)
		}
		if seen[test] {
			t.Errorf("%s stands for two lessons", test)
		}
		seen[test] = true
		links := link.FindAllStringSubmatch(cells[0], -1)
		if !slices.ContainsFunc(links, func(m []string) bool { return strings.Contains(plain(test), plain(m[1])) }) {
			t.Errorf("%s does not bear the name of a link in %s", test, cells[0])
		}
	}
}

// testExists reports whether a test is there: a file, a function, or a subtest that the file of its function names.
func testExists(tests map[string]string, name string) bool {
	if strings.Contains(name, "/testdata/") {
		_, err := os.Stat(filepath.Join(root, filepath.FromSlash(name)))
		return err == nil
	}
	function, sub, _ := strings.Cut(name, "/")
	code, ok := tests[function]
	return ok && (sub == "" || strings.Contains(code, `"`+sub+`"`))
}

// plain leaves the letters and digits of a name.
func plain(name string) string {
	return regexp.MustCompile(`[^a-z0-9]`).ReplaceAllString(strings.ToLower(name), "")
}

// testFiles returns the tests of the module with the text of the files that they are in.
func testFiles(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	for path, code := range sources(t) {
		for _, m := range declared.FindAllStringSubmatch(code, -1) {
			if strings.HasSuffix(path, "_test.go") {
				out[m[1]] += code
			}
		}
	}
	if len(out) == 0 {
		t.Fatal("no tests were found")
	}
	return out
}

// TestLessonsNoticeMissingTests: the check of the rows finds what is not there.
func TestLessonsNoticeMissingTests(t *testing.T) {
	tests := map[string]string{"TestA": `t.Run("b", nil)`}
	for name, want := range map[string]bool{"TestA": true, "TestA/b": true, "TestA/c": false, "TestB": false, "docs/testdata/none.txtar": false} {
		if testExists(tests, name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}
