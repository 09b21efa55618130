package docs_test

import (
	"path/filepath"
	"regexp"
	"testing"
)

// TestModelNamesFunctions holds the model of the refresh to the code: each of its transitions names the function that it
// stands for, which must be there.
func TestModelNamesFunctions(t *testing.T) {
	model := read(t, filepath.Join(root, "scripts", "model", "refresh.pml"))
	named := regexp.MustCompile(`/\* @ (\S+\.go) (\w+):`).FindAllStringSubmatch(model, -1)
	if len(named) < 12 {
		t.Errorf("the model names only %d functions", len(named))
	}
	if marks := regexp.MustCompile(`/\* @`).FindAllString(model, -1); len(marks) != len(named) {
		t.Errorf("%d marks, but %d that name a file and a function", len(marks), len(named))
	}
	for _, m := range named {
		code := read(t, filepath.Join(root, filepath.FromSlash(m[1])))
		if !regexp.MustCompile(`(?m)^func (\([^)]*\) )?` + m[2] + `\(`).MatchString(code) {
			t.Errorf("the model stands for %s in %s, which is not there", m[2], m[1])
		}
	}
}
