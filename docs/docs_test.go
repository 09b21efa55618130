// Package docs_test holds the documents to the code: what the code has is documented, and what the documents name is there.
package docs_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/cache/keychain"
)

const (
	root   = ".."
	module = "github.com/mcp-credential/mcp-credential"
)

func TestEveryKeychainIsDocumented(t *testing.T) {
	text := read(t, "keychains.md")
	names := keychain.Names()
	if len(names) == 0 {
		t.Fatal("there are no keychains")
	}
	for _, name := range names {
		if !strings.Contains(text, "\n| `"+name+"` ") {
			t.Errorf("keychains.md has no row for %s", name)
		}
		if !strings.Contains(text, "\n### `"+name+"`\n") {
			t.Errorf("keychains.md has no section for %s", name)
		}
	}
}

// TestEveryDependencyIsDocumented goes by the imports: go.mod may call a module indirect that is not.
func TestEveryDependencyIsDocumented(t *testing.T) {
	taken, left, found := strings.Cut(read(t, "dependencies.md"), "\n## Not taken")
	if !found {
		t.Fatal("dependencies.md does not say what was not taken")
	}
	rows, imported := modulesIn(taken), importedModules(t)
	if len(imported) == 0 {
		t.Fatal("nothing is imported")
	}
	for _, m := range imported {
		if !slices.Contains(rows, m) {
			t.Errorf("dependencies.md has no row for %s", m)
		}
		if slices.Contains(modulesIn(left), m) {
			t.Errorf("dependencies.md says that %s was not taken, but it is imported", m)
		}
	}
	for _, m := range rows {
		if !slices.Contains(imported, m) {
			t.Errorf("dependencies.md has a row for %s, which nothing imports", m)
		}
	}
}

// TestEveryVariableIsDocumented finds the environment variables that the code names.
func TestEveryVariableIsDocumented(t *testing.T) {
	text := read(t, "config.md")
	asked := regexp.MustCompile(`(?:[gG]etenv\(|[A-Za-z]*(?:Variable|Name|URL|Options)\s+=\s)"([A-Z][A-Z_]+)"`)
	names := map[string]bool{}
	for path, code := range sources(t) {
		if strings.HasSuffix(path, "_test.go") || strings.Contains(path, "fakeworld") || strings.Contains(path, "testsupport") || strings.HasPrefix(path, "scripts") {
			continue
		}
		for _, m := range asked.FindAllStringSubmatch(code, -1) {
			names[m[1]] = true
		}
	}
	delete(names, "DISABLE_KWALLET") // of a library, and set by us
	if len(names) < 10 {
		t.Fatalf("only %d variables were found", len(names))
	}
	for name := range names {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("config.md does not mention %s", name)
		}
	}
}

// TestWhatTheDocumentsNameIsThere follows relative links, and looks for the files and tests that the text names.
func TestWhatTheDocumentsNameIsThere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^):#]+)(?:#[^)]*)?\)`)
	file := regexp.MustCompile("`([a-z0-9_./-]+/[a-z0-9_./-]+\\.(?:go|sh|ps1|md|yml|txtar))`")
	test := regexp.MustCompile("`((?:Test|Fuzz)[A-Z][A-Za-z0-9]*)`")
	tests := testNames(t)
	for _, doc := range documents(t) {
		text := read(t, filepath.Join(root, doc))
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			exists(t, doc, filepath.Join(root, filepath.Dir(doc), m[1]))
		}
		for _, m := range file.FindAllStringSubmatch(text, -1) {
			exists(t, doc, filepath.Join(root, m[1]))
		}
		for _, m := range test.FindAllStringSubmatch(text, -1) {
			if !tests[m[1]] {
				t.Errorf("%s names the test %s, which does not exist", doc, m[1])
			}
		}
	}
}

// TestDecisionsAreNumberedAndShort holds the decisions to one page and one form.
func TestDecisionsAreNumberedAndShort(t *testing.T) {
	paths, err := filepath.Glob("adr/*.md")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no decisions: %v", err)
	}
	for i, path := range paths {
		want := strconv.Itoa(i + 1)
		if !strings.HasPrefix(filepath.Base(path), strings.Repeat("0", 4-len(want))+want+"-") {
			t.Errorf("%s should have the number %s", path, want)
		}
		text := read(t, path)
		for _, part := range []string{"# " + want + ". ", "\n## Context\n", "\n## Decision\n", "\n## What it costs\n"} {
			if !strings.Contains(text, part) {
				t.Errorf("%s lacks %q", path, part)
			}
		}
		if n := strings.Count(text, "\n"); n > 60 {
			t.Errorf("%s has %d lines, which is more than a page", path, n)
		}
	}
}

func exists(t *testing.T, doc, path string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("%s names %s, which is not there", doc, path)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(data), "\r\n", "\n")
}

// files returns the paths of the module's files with that extension, relative to its root.
func files(t *testing.T, extension string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains([]string{".git", "bin", "dist", "node_modules", "testdata"}, d.Name()) {
			return filepath.SkipDir
		}
		if filepath.Ext(path) == extension {
			rel, err := filepath.Rel(root, path)
			out = append(out, filepath.ToSlash(rel))
			return err
		}
		return nil
	})
	if err != nil || len(out) == 0 {
		t.Fatalf("no %s files: %v", extension, err)
	}
	return out
}

func documents(t *testing.T) []string { return files(t, ".md") }

func sources(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, path := range files(t, ".go") {
		out[path] = read(t, filepath.Join(root, path))
	}
	return out
}

func testNames(t *testing.T) map[string]bool {
	t.Helper()
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	out := map[string]bool{}
	for path, code := range sources(t) {
		if !strings.HasSuffix(path, "_test.go") {
			continue
		}
		for _, m := range declared.FindAllStringSubmatch(code, -1) {
			out[m[1]] = true
		}
	}
	return out
}

// importedModules returns the modules of both go.mod files that a file imports a package of.
func importedModules(t *testing.T) []string {
	t.Helper()
	required := requirements(t)
	out := map[string]bool{}
	for path, code := range sources(t) {
		file, err := parser.ParseFile(token.NewFileSet(), path, code, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			name, _ := strconv.Unquote(spec.Path.Value)
			first, _, _ := strings.Cut(name, "/")
			if !strings.Contains(first, ".") || name == module || strings.HasPrefix(name, module+"/") {
				continue
			}
			out[owner(t, required, name)] = true
		}
	}
	return slices.Sorted(maps.Keys(out))
}

// owner returns the module that a package belongs to: the longest one that is its prefix by whole path segments.
func owner(t *testing.T, required []string, name string) string {
	t.Helper()
	best := ""
	for _, m := range required {
		if (name == m || strings.HasPrefix(name, m+"/")) && len(m) > len(best) {
			best = m
		}
	}
	if best == "" {
		t.Fatalf("go.mod has no module for %s", name)
	}
	return best
}

func requirements(t *testing.T) []string {
	t.Helper()
	var out []string
	text := read(t, root+"/go.mod") + read(t, root+"/integration/clients/go.mod")
	for _, m := range regexp.MustCompile(`(?m)^(?:require)?\s+(\S+\.\S+/\S+) v\S+`).FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	if len(out) == 0 {
		t.Fatal("go.mod requires nothing")
	}
	return out
}

// modulesIn returns what stands in the first column of a table, where it looks like a module.
func modulesIn(text string) []string {
	var out []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+\\.[^`]+/[^`]+)`").FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	return out
}
