package credential

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// SortScopes returns the scopes sorted and without duplicates or empty strings; scopes is left alone.
func SortScopes(scopes []string) []string {
	out := slices.Clone(scopes)
	out = slices.DeleteFunc(out, func(s string) bool { return s == "" })
	slices.Sort(out)
	return slices.Compact(out)
}

// JoinScopes adds the scopes of more that are missing in base, in order (step-up: requested before, then challenged).
func JoinScopes(base, more []string) []string {
	out := slices.Clone(base)
	for _, s := range more {
		if s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// HasScopes reports whether every scope of want is in have.
func HasScopes(have, want []string) bool {
	for _, s := range want {
		if !slices.Contains(have, s) {
			return false
		}
	}
	return true
}

// CheckScope reports whether s is a scope token (RFC 6749 section 3.3: %x21 / %x23-5B / %x5D-7E).
func CheckScope(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r == '"' || r == '\\' || r > 0x7e }) < 0
}

// CheckLabel reports whether s can be the label of a sign-in: at most 200 printable characters of UTF-8; empty is none.
func CheckLabel(s string) bool { return utf8.ValidString(s) && Printable(s, 200) == s }

// CheckBearer reports whether s is a bearer token that may travel in a header (RFC 6750 section 2.1, b64token), of at
// most 64 KiB. Everything that is printed or stored as an access token passes it.
func CheckBearer(s string) bool {
	if s == "" || len(s) > 64<<10 {
		return false
	}
	body := strings.TrimRight(s, "=")
	for i := range len(body) {
		c := body[i]
		ok := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("-._~+/", c) >= 0
		if !ok {
			return false
		}
	}
	return body != ""
}

// Printable returns s with control characters (C0, C1, DEL, bidirectional overrides) replaced by "?" and cut to max
// runes: every text of a server passes it before a person sees it (CVE-2024-50349).
func Printable(s string, max int) string {
	out := strings.Map(func(r rune) rune {
		switch {
		case r < ' ', r >= 0x7f && r < 0xa0, r >= 0x200e && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0xfffd:
			return '?'
		}
		return r
	}, s)
	if runes := []rune(out); len(runes) > max {
		return string(runes[:max]) + "..."
	}
	return out
}

// SplitScope splits a scope parameter (RFC 6749 section 3.3) and leaves out what is no scope.
func SplitScope(param string) []string {
	return slices.DeleteFunc(strings.Fields(param), func(s string) bool { return !CheckScope(s) })
}
