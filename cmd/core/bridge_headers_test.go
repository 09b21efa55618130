package core

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/mcp-credential/mcp-credential/credential"
)

func TestReadHeaders(t *testing.T) {
	file := filepath.Join(t.TempDir(), "headers")
	if err := os.WriteFile(file, []byte("X-Key: from a file\r\nx-other:  two\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := readHeaders([]string{"Authorization: Basic abc", "@" + file, "X-Key: b"})
	if err != nil || h.Get("Authorization") != "Basic abc" || strings.Join(h.Values("X-Key"), ",") != "from a file,b" || h.Get("X-Other") != "two" {
		t.Errorf("%v %v", h, err)
	}
	for _, bad := range []string{"", ":", "a b: c", "A", "A: b\rc", "Host: h", "content-type: x", "@" + file + "x"} {
		if _, err := readHeaders([]string{bad}); err == nil {
			t.Errorf("%q is taken", bad)
		} else if strings.Contains(err.Error(), "b\rc") {
			t.Error("the value is in the error")
		}
	}
}

// What editors make of a file of headers: a byte order mark, CRLF, empty lines, another encoding.
func TestReadHeaderFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "headers")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("\xef\xbb\xbfAuthorization: Bearer sekret\r\n\r\n \t\nX-Key: k\r\n\n\n")
	h, err := readHeaders([]string{"@" + file})
	if err != nil || len(h) != 2 || h.Get("Authorization") != "Bearer sekret" || h.Get("X-Key") != "k" {
		t.Errorf("%v %v", h, err)
	}
	var wide []byte
	for _, u := range utf16.Encode([]rune("X-Key: sekret\r\n")) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	for text, want := range map[string]string{
		"\xff\xfe" + string(wide):               "the header file " + file + " is not UTF-8 text; save it as UTF-8",
		string(wide):                            "is not UTF-8 text",
		"X-Key: k\r\n\r\nBearer sekret\r\n":     "line 3 of the header file " + file + " must be \"Name: value\"",
		"\n\nContent-Type: sekret\n":            "line 3 of the header file " + file + " cannot set Content-Type",
		"X-Key: sek\rret\n":                     "line 1 of the header file ",
		"\xef\xbb\xbf\xef\xbb\xbfX-Key: sekret": "line 1 of the header file ",
	} {
		write(text)
		_, err := readHeaders([]string{"@" + file})
		if credential.KindOf(err) != credential.BadInput || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "sek") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// What config.toml says about headers holds where --header says nothing; what the bridge sets itself is refused there too.
func TestConfiguredHeaders(t *testing.T) {
	headers, err := readHeaders([]string{"X-Team: red"})
	if err != nil {
		t.Fatal(err)
	}
	if err := addConfigured(headers, map[string]string{"x-team": "blue", "X-Region": "eu"}); err != nil || headers.Get("X-Team") != "red" || headers.Get("X-Region") != "eu" {
		t.Errorf("%v %v", headers, err)
	}
	if err := addConfigured(headers, map[string]string{"mcp-session-id": "x"}); credential.KindOf(err) != credential.BadInput {
		t.Errorf("a header of the bridge's own: %v", err)
	}
}
