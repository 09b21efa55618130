package archtest

import (
	"go/ast"
	"strings"
	"testing"
)

// TestDecodersHaveFuzzers: a package of the programs that decodes JSON or TOML fuzzes that.
func TestDecodersHaveFuzzers(t *testing.T) {
	decodes, fuzzes := map[string]string{}, map[string]bool{}
	for _, f := range sources(t, true) {
		for _, fn := range f.functions() {
			if f.test && strings.HasPrefix(fn.Name.Name, "Fuzz") {
				fuzzes[f.dir] = true
			}
		}
		if f.test || strings.HasPrefix(f.dir, "internal/fakeworld") || strings.HasPrefix(f.dir, "scripts") || strings.HasPrefix(f.dir, "integration") {
			continue
		}
		ast.Inspect(f.File, func(n ast.Node) bool {
			if name := called(n); name == "json.Unmarshal" || name == "json.NewDecoder" || name == "toml.Unmarshal" || name == "toml.NewDecoder" {
				decodes[f.dir] = at(n)
			}
			return true
		})
	}
	if len(decodes) < 12 || len(fuzzes) < 12 {
		t.Fatalf("only %d packages that decode and %d with a fuzzer were found", len(decodes), len(fuzzes))
	}
	for dir, place := range decodes {
		if !fuzzes[dir] {
			t.Errorf("%s decodes (%s) and has no fuzzer", dir, place)
		}
	}
}
