package archtest

import (
	"os"
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/cache/keychain"
	"github.com/mcp-credential/mcp-credential/cmd/call"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/protocol"
)

// Every row of a table that users meet has its row in a page: a name in backquotes.
func TestTablesAreDocumented(t *testing.T) {
	var formats, kinds []string
	for _, f := range protocol.Formats() {
		formats = append(formats, f.Name)
	}
	for _, k := range credential.Kinds() {
		kinds = append(kinds, camel(k.String()))
		if call.ExitCode(k) == 0 {
			t.Errorf("the kind %s has no exit code", k)
		}
	}
	for page, names := range map[string][]string{
		"docs/protocol.md":  append(formats, kinds...),
		"docs/keychains.md": keychain.Names(),
	} {
		text, err := os.ReadFile(root + "/" + page)
		if err != nil {
			t.Error(err)
		}
		if len(names) < 5 {
			t.Errorf("only %d names for %s", len(names), page)
		}
		for _, name := range names {
			if !strings.Contains(string(text), "`"+name+"`") {
				t.Errorf("%s does not document `%s`", page, name)
			}
		}
	}
}

// camel turns the stable name of a kind into the name of its constant: not-found into NotFound.
func camel(name string) string {
	var out strings.Builder
	for word := range strings.SplitSeq(name, "-") {
		out.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return out.String()
}
