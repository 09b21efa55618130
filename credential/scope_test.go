package credential

import (
	"slices"
	"strings"
	"testing"
)

func TestScopes(t *testing.T) {
	in := []string{"b", "", "a", "b"}
	if got := SortScopes(in); !slices.Equal(got, []string{"a", "b"}) || !slices.Equal(in, []string{"b", "", "a", "b"}) {
		t.Errorf("SortScopes = %v, and left %v", got, in)
	}
	base := append(make([]string, 0, 8), "b", "a")
	if got := JoinScopes(base, []string{"c", "a", "", "c"}); !slices.Equal(got, []string{"b", "a", "c"}) {
		t.Errorf("JoinScopes = %v", got)
	}
	if spare := base[:3][2]; spare != "" {
		t.Error("JoinScopes wrote into its argument")
	}
	if len(SortScopes(nil)) != 0 || len(JoinScopes(nil, nil)) != 0 {
		t.Error("scopes out of nothing")
	}
	if !HasScopes([]string{"a", "b"}, []string{"b"}) || !HasScopes(nil, nil) || HasScopes([]string{"a"}, []string{"a", "b"}) || HasScopes([]string{"A"}, []string{"a"}) {
		t.Error("HasScopes is wrong")
	}
}

func TestCheckScope(t *testing.T) {
	for s, want := range map[string]bool{
		"mcp:tools": true, "api://app/.default": true, "!#[]~": true, "": false, "a b": false, `a"`: false, `a\`: false,
		"a\n": false, "a\x00": false, "a\x7f": false, "\u00e9": false, "\xff": false,
	} {
		if CheckScope(s) != want {
			t.Errorf("CheckScope(%q) = %v", s, !want)
		}
	}
}

func TestCheckBearer(t *testing.T) {
	for s, want := range map[string]bool{
		"a": true, "AZaz09-._~+/": true, "a=": true, "a==": true, strings.Repeat("a", 64<<10): true,
		"": false, "=": false, "==": false, "=a": false, "a=a": false, "a b": false, " a": false, "a\n": false, "a\r\nX: y": false,
		"a\x00": false, "a\t": false, `a"`: false, "a,b": false, "a:b": false, "a%20": false, "\u00e9": false, "\xff": false,
		strings.Repeat("a", 64<<10+1): false,
	} {
		if CheckBearer(s) != want {
			t.Errorf("CheckBearer(%.20q) = %v", s, !want)
		}
	}
}

// CVE-2024-50349: escape sequences in a server's text must not reach a terminal.
func TestPrintable(t *testing.T) {
	cases := map[string]string{
		"Zo\u00eb & Bo": "Zo\u00eb & Bo", "a\x1b[2Jb": "a?[2Jb", "a\r\nb\tc": "a??b?c", "\x00\x7f\u0080\u009b": "????", "\u202egpj.exe": "?gpj.exe",
		"\u2066a\u2069\u200f": "?a??", "\xff\xfe": "??", "": "", "0123456789": "0123456789", "0123456789a": "0123456789...",
		"\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9": "\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9...",
	}
	for in, want := range cases {
		if got := Printable(in, 10); got != want {
			t.Errorf("Printable(%q) = %q, want %q", in, got, want)
		}
	}
}
