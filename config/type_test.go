package config

import (
	"strings"
	"testing"
)

// A value of the wrong type names the line and the setting, and no part of this program.
func TestValueOfAnotherType(t *testing.T) {
	for text, want := range map[string]string{
		"store = 3\n":          `line 1: the setting "store" has`,
		"\nnotify = \"yes\"\n": `line 2: the setting "notify" has`,
		"servers = 1\n":        `line 1: the setting "servers" has`,
		"[servers.\"https://h\"]\nscopes = \"a\"\n": `line 2: the setting "servers.https://h.scopes" has`,
	} {
		_, err := Parse([]byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "struct") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
