package call

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// documented returns the exit codes of docs/protocol.md by the Go name of the kind, as "0, 3" where there are two.
func documented(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	codes := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| ([0-9, ]+?) +\\| `([A-Za-z]+)` ").FindAllStringSubmatch(string(text), -1) {
		codes[strings.ToLower(m[2])] = m[1]
	}
	return codes
}

func TestEveryKindEndsWithItsDocumentedCode(t *testing.T) {
	codes := documented(t)
	if len(codes) != len(credential.Kinds()) {
		t.Fatalf("%d kinds are documented, there are %d", len(codes), len(credential.Kinds()))
	}
	for _, kind := range credential.Kinds() {
		var out strings.Builder
		code := Report(&out, credential.Fail(kind, "what happened", nil))
		want, ok := codes[strings.ReplaceAll(kind.String(), "-", "")]
		if !ok || code == 0 || !strings.HasSuffix(want, string(rune('0'+code))) {
			t.Errorf("%v ends with %d, documented is %q", kind, code, want)
		}
		if !strings.HasPrefix(out.String(), "mcp-credential: what happened\n") {
			t.Errorf("%v says %q", kind, out.String())
		}
	}
	if Report(&strings.Builder{}, nil) != 0 || Report(&strings.Builder{}, errors.New("of no kind")) != 1 {
		t.Error("no error must end with 0, one of no kind with 1")
	}
}

func TestReportSaysWhatToDo(t *testing.T) {
	var out strings.Builder
	Report(&out, &credential.Error{Kind: credential.Throttled, Text: "slow down", RetryAfter: 90 * time.Second})
	Report(&out, &credential.Error{Kind: credential.NoSignIn, Text: "nobody", Server: "https://h/mcp"})
	want := "mcp-credential: slow down\nmcp-credential: try again in 1m30s\n" +
		"mcp-credential: nobody\nmcp-credential: sign in with: mcp-credential login https://h/mcp\n"
	if out.String() != want {
		t.Errorf("got %q\nwant %q", out.String(), want)
	}
}

// The command that an error names has the flags of whoever asks, and what the error itself calls for.
func TestHintHasTheFlagsOfASignIn(t *testing.T) {
	lack := &credential.Error{Kind: credential.StepUp, Server: "https://h/mcp", Account: "asked", Scopes: []string{"a", "b"}}
	for _, c := range []struct {
		l    Login
		err  error
		want string
	}{
		{Login{}, lack, "grant more with: mcp-credential login https://h/mcp --account asked --scope a --scope b"},
		{Login{Account: "own", Scopes: []string{"b", "c"}, NoBrowser: true}, lack, "grant more with: mcp-credential login https://h/mcp --account own --scope b --scope c --scope a --no-browser"},
		{Login{ClientID: "-id", ClientSecretFile: "/s", Home: "/h"}, credential.Fail(credential.NoSignIn, "nobody", nil),
			"sign in with: mcp-credential login URL --client-id=-id --client-secret-file /s --home /h"},
		{Login{Account: "own"}, &credential.Error{Kind: credential.Throttled, RetryAfter: time.Second}, "try again in 1s"},
		{Login{Account: "own"}, errors.New("of no kind"), ""},
		{Login{}, credential.Fail(credential.Usage, "wrong", nil), "see mcp-credential --help"},
		{Login{Verb: "bridge"}, credential.Fail(credential.Usage, "wrong", nil), "see mcp-credential bridge --help"},
		{Login{}, credential.Fail(credential.Network, "away", nil), "try again in a moment"},
		{Login{Device: true, NoBrowser: true, Tenant: "t"}, credential.Fail(credential.NoSignIn, "nobody", nil), "sign in with: mcp-credential login URL --tenant t --device"},
		{Login{More: "--log-file"}, credential.Fail(credential.Network, "away", nil), "try again in a moment; --log-file tells more"},
		{Login{Home: "/h", NoBrowser: true}, &credential.Error{Kind: credential.SignInDead, Server: "https://h/mcp", Account: "work", Forwarded: true},
			"on the machine at the other end of the forward: sign in again with: mcp-credential login https://h/mcp --account work"},
		{Login{}, &credential.Error{Kind: credential.Prompting, Forwarded: true}, "finish it in the browser there"},
		{Login{}, &credential.Error{Kind: credential.NotApproved, Forwarded: true}, ""},
		{Login{NoBrowser: true}, &credential.Error{Kind: credential.KeyBound, Server: "https://h/mcp", Forwarded: true},
			"such tokens do not cross a forward; sign in on this machine: mcp-credential login https://h/mcp --no-browser"},
		{Login{}, credential.Fail(credential.KeychainMissing, "none", nil), "choose one with MCPCRED_STORE: " + Docs + "keychains.md"},
	} {
		if got := c.l.Hint(c.err); got != c.want {
			t.Errorf("got %q\nwant %q", got, c.want)
		}
	}
}

// A bridge cuts the command out of the hint: it stands behind the first colon.
func TestCommandEndsTheHint(t *testing.T) {
	for _, kind := range credential.Kinds() {
		if rows[kind].code != 3 {
			continue
		}
		_, command, _ := strings.Cut(Login{}.Hint(credential.Fail(kind, "what happened", nil)), ": ")
		if command != "mcp-credential login URL" {
			t.Errorf("%v: the command is %q", kind, command)
		}
	}
}

func TestQuoted(t *testing.T) {
	for _, c := range [][3]string{ // what, for a POSIX shell, for PowerShell
		{"https://h:1/mcp", "https://h:1/mcp", "https://h:1/mcp"},
		{"https://h/mcp?a=1&b=$x", "'https://h/mcp?a=1&b=$x'", "'https://h/mcp?a=1&b=$x'"},
		{"ann@example.com", "ann@example.com", "'ann@example.com'"},
		{"it's", `'it'\''s'`, "'it''s'"},
		{"it\u2019s", "'it\u2019s'", "'it\u2019\u2019s'"},
		{`C:\a b`, `'C:\a b'`, `'C:\a b'`},
		{`C:\a`, `'C:\a'`, `C:\a`},
		{"~/x", "'~/x'", "'~/x'"},
		{"`id`", "'`id`'", "'`id`'"},
	} {
		if posix, windows := quoted(c[0], "linux"), quoted(c[0], "windows"); posix != c[1] || windows != c[2] {
			t.Errorf("%s: %s and %s, not %s and %s", c[0], posix, windows, c[1], c[2])
		}
	}
}

// A server's words end up in errors: they must not forge lines or drive the terminal (CVE-2024-50349).
func TestOneEventIsOneLine(t *testing.T) {
	var out strings.Builder
	Say(&out, "a\nmcp-credential: forged\x1b[2J\r\u202e")
	if got := out.String(); strings.Count(got, "\n") != 1 || strings.ContainsAny(got, "\x1b\r\u202e") {
		t.Errorf("got %q", got)
	}
}
