package config

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const manual = "../docs/config.md"

// TestManualExample holds docs/config.md to its promise of a complete example that parses.
func TestManualExample(t *testing.T) {
	c, err := Parse([]byte(example(t)))
	if err != nil {
		t.Fatalf("the example in %s: %v", manual, err)
	}
	everySet(t, "", reflect.ValueOf(c))
	var servers []reflect.Value
	for _, s := range c.Servers {
		servers = append(servers, reflect.ValueOf(s))
	}
	everySet(t, "servers.URL.", servers...)
}

// TestManualTables finds a row for every setting: those of the whole file before those of one server.
func TestManualTables(t *testing.T) {
	whole, server, found := strings.Cut(read(t), "By server, in")
	if !found {
		t.Fatalf("%s has no table for servers", manual)
	}
	for text, kind := range map[string]reflect.Type{whole: reflect.TypeFor[Config](), server: reflect.TypeFor[Server]()} {
		for _, tag := range tags(t, kind) {
			if tag != "servers" && !strings.Contains(text, "\n| `"+tag+"`") {
				t.Errorf("%s has no row for the setting %s of %s", manual, tag, kind.Name())
			}
		}
	}
}

// example returns the one TOML block of the manual.
func example(t *testing.T) string {
	t.Helper()
	blocks := strings.Split(read(t), "```toml\n")
	if len(blocks) != 2 {
		t.Fatalf("%s has %d TOML blocks, not one", manual, len(blocks)-1)
	}
	block, _, closed := strings.Cut(blocks[1], "\n```")
	if !closed {
		t.Fatalf("the TOML block of %s does not end", manual)
	}
	return block
}

func read(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(data), "\r\n", "\n")
}

// everySet wants a value in every field of one of the structs, so that the example shows every setting.
func everySet(t *testing.T, prefix string, structs ...reflect.Value) {
	t.Helper()
	if len(structs) == 0 {
		t.Fatalf("the example in %s has nothing at %s", manual, prefix)
	}
	for i, tag := range tags(t, structs[0].Type()) {
		if !slices.ContainsFunc(structs, func(v reflect.Value) bool { return !v.Field(i).IsZero() }) {
			t.Errorf("the example in %s does not set %s%s", manual, prefix, tag)
		}
	}
}

// tags lists the settings of a struct, one for each field.
func tags(t *testing.T, kind reflect.Type) []string {
	t.Helper()
	var out []string
	for i := range kind.NumField() {
		tag := kind.Field(i).Tag.Get("toml")
		if tag == "" {
			t.Fatalf("%s.%s has no toml tag", kind.Name(), kind.Field(i).Name)
		}
		out = append(out, tag)
	}
	return out
}
