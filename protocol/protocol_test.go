package protocol

import (
	"errors"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/credential"
)

func TestEveryFormatIsWhole(t *testing.T) {
	manual, err := os.ReadFile("../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	if len(Formats()) == 0 {
		t.Fatal("no formats")
	}
	for _, f := range Formats() {
		if !regexp.MustCompile(`^[a-z]+$`).MatchString(f.Name) || f.Doc == "" || strings.Contains(f.Doc, "\n") {
			t.Errorf("%q: name or doc is not one plain line", f.Name)
		}
		if f.Decode == nil && f.Encode == nil {
			t.Errorf("%s: neither reads nor writes", f.Name)
		}
		if len(seeds[f.Name]) == 0 {
			t.Errorf("%s: no fuzz seed", f.Name)
		}
		if f.Encode != nil && golden[f.Name] == "" {
			t.Errorf("%s: no golden answer", f.Name)
		}
		if !strings.Contains(string(manual), "\n### `"+f.Name+"`\n") {
			t.Errorf("%s: no section in docs/protocol.md", f.Name)
		}
		if got, err := ByName(f.Name); err != nil || got.Name != f.Name {
			t.Errorf("ByName(%s) = %s, %v: a name is taken twice or missing", f.Name, got.Name, err)
		}
	}
	if len(seeds) != len(Formats()) || len(golden) != len(Formats()) {
		t.Error("a seed or a golden answer belongs to no format")
	}
}

// The manual's table of exit codes has a row for every kind, with the code that the kind's comment says.
func TestManualListsEveryKind(t *testing.T) {
	manual, err := os.ReadFile("../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("../credential/errors.go")
	if err != nil {
		t.Fatal(err)
	}
	kinds := regexp.MustCompile(`(?m)^\t([A-Z]\w+)(?: Kind = iota)? +// ([^:]+):`).FindAllStringSubmatch(string(source), -1)
	if last := int(credential.KeychainBroken) + 1; len(kinds) != last {
		t.Fatalf("found %d kinds in credential/errors.go, want %d", len(kinds), last)
	}
	for _, kind := range kinds {
		codes := strings.Join(regexp.MustCompile(`\d`).FindAllString(kind[2], -1), ", ")
		row := regexp.MustCompile(`(?m)^\| ` + codes + " +\\| `" + kind[1] + "` +\\| \\S")
		if codes == "" || !row.Match(manual) {
			t.Errorf("%s: no row with code %q in docs/protocol.md", kind[1], codes)
		}
	}
}

func TestSeedsAreRead(t *testing.T) {
	for _, f := range Formats() {
		for _, seed := range seeds[f.Name] {
			if f.Decode == nil {
				continue
			}
			names := []string{f.Name}
			if slices.Contains(detected, f.Name) {
				names = append(names, "")
			}
			for _, name := range names {
				if req, err := Decode(strings.NewReader(seed), name); err != nil || req.Format != f.Name || req.Query.URL == "" {
					t.Errorf("Decode(%q, %q) = %+v, %v", seed, name, req, err)
				}
			}
		}
	}
}

// counter counts writes, and fails them where err is set.
type counter struct {
	strings.Builder
	writes int
	err    error
}

func (c *counter) Write(p []byte) (int, error) {
	c.writes++
	if c.err != nil {
		return 0, c.err
	}
	return c.Builder.Write(p)
}

// WriteString hides the Builder's own, which would not count.
func (c *counter) WriteString(s string) (int, error) { return c.Write([]byte(s)) }

func TestAnswers(t *testing.T) {
	for _, f := range Formats() {
		var out counter
		if err := f.Encode(&out, Request{}, goldenToken()); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
		if out.String() != golden[f.Name] || out.writes != 1 {
			t.Errorf("%s: %d writes of\n%q, want one of\n%q", f.Name, out.writes, out.String(), golden[f.Name])
		}
		broken := counter{err: io.ErrClosedPipe}
		if err := f.Encode(&broken, Request{}, goldenToken()); credential.KindOf(err) != credential.Internal || !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%s: a failed write gave %v", f.Name, err)
		}
	}
}

// A token that is not one never leaves, whatever put it there (git-credential-oauth printed what the server sent).
func TestGitCredentialOAuthHostileTokens(t *testing.T) {
	hostile := []credential.Token{
		{},
		{Access: credential.NewSecret("a\nquit=1")},
		{Access: credential.NewSecret("a\r\nX-Evil: 1")},
		{Access: credential.NewSecret("a\x00")},
		{Access: credential.NewSecret(`a","X":"b`)},
		{Access: credential.NewSecret("a b")},
		{Access: credential.NewSecret("\u00e9")},
		{Access: credential.NewSecret("===")},
		{Access: credential.NewSecret(strings.Repeat("a", 64<<10+1))},
		{Access: credential.NewSecret("abc"), Type: "PoP"},
	}
	for _, f := range Formats() {
		for i, token := range hostile {
			for _, req := range []Request{{}, {AuthType: true, State: true}} {
				var out counter
				err := f.Encode(&out, req, token)
				if credential.KindOf(err) != credential.Hostile || out.writes != 0 {
					t.Errorf("%s, token %d: wrote %q, error %v", f.Name, i, out.String(), err)
				}
				if text := token.Access.Reveal(); err != nil && text != "" && strings.Contains(err.Error(), text) {
					t.Errorf("%s, token %d: the error holds the token", f.Name, i)
				}
			}
		}
	}
}

// A token that is bound to a key leaves in no format: whoever reads it could not prove the key.
func TestBoundTokensAreNotWritten(t *testing.T) {
	token := goldenToken()
	token.Type, token.Key = credential.TypeDPoP, credential.NewSecret("the-key")
	for _, f := range Formats() {
		var out counter
		err := f.Encode(&out, Request{AuthType: true, State: true}, token)
		if credential.KindOf(err) != credential.KeyBound || out.writes != 0 {
			t.Errorf("%s: wrote %q, error %v", f.Name, out.String(), err)
		}
	}
}

func TestTokenTypeIsNotCaseSensitive(t *testing.T) {
	for _, kind := range []string{"", "bearer", "BEARER"} { // RFC 6749 section 5.1
		token := goldenToken()
		token.Type = kind
		for _, f := range Formats() {
			var out counter
			if err := f.Encode(&out, Request{}, token); err != nil || out.String() != golden[f.Name] {
				t.Errorf("%s, type %q: %q, %v", f.Name, kind, out.String(), err)
			}
		}
	}
}

func TestUnknownNamesListTheKnown(t *testing.T) {
	_, err := ByName("gti")
	if credential.KindOf(err) != credential.Usage {
		t.Fatalf("kind of %v", err)
	}
	for _, f := range Formats() {
		if !strings.Contains(err.Error(), f.Name) {
			t.Errorf("%v does not name %s", err, f.Name)
		}
	}
}

// unread fails the test when it is read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) { u.t.Error("stdin was read"); return 0, io.EOF }

func TestDecodeRefuses(t *testing.T) {
	for _, name := range []string{"headers", "token", "header", "env", "azure", "dokcer"} {
		if _, err := Decode(unread{t}, name); credential.KindOf(err) != credential.Usage {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range append(requests(), "") {
		if _, err := Decode(strings.NewReader(""), name); credential.KindOf(err) != credential.BadInput {
			t.Errorf("empty stdin, %q: %v", name, err)
		}
	}
}

// A read that fails keeps its kind where it has one, and is ours to report where it has none.
func TestReadErrors(t *testing.T) {
	silent := credential.Fail(credential.BadInput, "stdin stayed silent", nil)
	begins := map[string]string{"git": "protocol=https\n", "docker": "https://h"}
	for _, name := range requests() {
		begin := begins[name]
		if begin == "" {
			begin = `{"url":`
		}
		for _, cause := range []error{silent, io.ErrClosedPipe} {
			for _, given := range []string{name, ""} {
				_, err := Decode(io.MultiReader(strings.NewReader(begin), failing{cause}), given)
				want := credential.KindOf(cause)
				if !errors.Is(err, cause) || credential.KindOf(err) != want {
					t.Errorf("%s: %v of kind %d, want %v of kind %d", name, err, credential.KindOf(err), cause, want)
				}
			}
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestRequestsEndAt64KiB(t *testing.T) {
	whole := map[string][2]string{
		"git":  {"protocol=https\nhost=h\nignored=", "\n"},
		"json": {`{"url":"https://h","ignored":"`, `"}`},

		"kubernetes": {`{"kind":"ExecCredential","apiVersion":"` + execV1 + `","spec":{"cluster":{"server":"https://h"}},"ignored":"`, `"}`},
		"bazel":      {`{"uri":"https://h","ignored":"`, `"}`},
		"docker":     {`{"ServerURL":"https://h","Username":"oauth2","ignored":"`, `"}`},
		"cargo":      {`{"v":1,"kind":"get","registry":{"index-url":"sparse+https://h"},"ignored":"`, "\"}\n"},
	}
	if len(whole) != len(requests()) {
		t.Error("not every format is tried")
	}
	for name, ends := range whole {
		fill := 64<<10 - len(ends[0]) - len(ends[1])
		for extra, ok := range map[int]bool{0: true, 1: false, 1 << 20: false} {
			text := ends[0] + strings.Repeat("x", fill+extra) + ends[1]
			_, err := Decode(strings.NewReader(text), name)
			if ok && err != nil || !ok && credential.KindOf(err) != credential.BadInput {
				t.Errorf("%s of %d bytes: %v", name, len(text), err)
			}
		}
	}
}
