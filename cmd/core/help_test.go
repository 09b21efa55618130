package core

import (
	"bytes"
	"os"
	"reflect"
	"strings"
	"testing"
)

// maxHelp is how many lines of help fit on a screen beside what was asked.
const maxHelp = 30

// The help of every command for people is read without scrolling.
func TestHelpIsShort(t *testing.T) {
	lines := [][]string{{"--help"}}
	all := reflect.TypeFor[commands]()
	for i := range all.NumField() {
		if _, hidden := all.Field(i).Tag.Lookup("hidden"); !hidden {
			lines = append(lines, []string{strings.ToLower(all.Field(i).Name), "--help"})
		}
	}
	if len(lines) < 12 {
		t.Fatalf("only %d commands found", len(lines))
	}
	for _, line := range lines {
		var out, said bytes.Buffer
		code := Main(t.Context(), append([]string{"mcp-credential"}, line...), os.Stdin, &out, &said)
		text := strings.TrimSuffix(out.String(), "\n")
		if n := strings.Count(text, "\n") + 1; code != 0 || said.Len() > 0 || n > maxHelp || n < 5 {
			t.Errorf("%v: %d lines, exit %d, %s", line, n, code, said.String())
		}
	}
}
