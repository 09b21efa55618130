package core

import (
	"slices"
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/credential"
)

// What says how to connect goes to the first of two connections too; what is done there does not.
func TestSSHOptions(t *testing.T) {
	for line, want := range map[string]string{
		"":                                   "",
		"uptime -a":                          "",
		"-p 2222 -t tmux -p 1":               "-p 2222",
		"-p2222 -4A -l me make":              "-p 2222 -4 -A -l me",
		"-vtN -i key -L 1:h:2 -R3:h:4 -D 5":  "-v -i key",
		"-o ProxyJump=x -J y -F file -- -f":  "-o ProxyJump=x -J y -F file",
		"-tp 22 -W h:1 -e none -S x cmd -p9": "-p 22",
		"-":                                  "",
	} {
		got, err := sshOptions(strings.Fields(line))
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %q, %v, want %q", line, got, err, want)
		}
	}
	for _, line := range []string{"-f", "-Nf", "-p 22 -fN cmd"} {
		if _, err := sshOptions(strings.Fields(line)); credential.KindOf(err) != credential.Usage {
			t.Errorf("%s: %v", line, err)
		}
	}
	for _, letter := range sshHow {
		if !strings.ContainsRune(sshPlain+sshValued, letter) {
			t.Errorf("%c is no flag of ssh", letter)
		}
	}
	if letters := strings.Split(sshPlain+sshValued, ""); len(slices.Compact(slices.Sorted(slices.Values(letters)))) != len(letters) {
		t.Error("a flag is there twice")
	}
}

func TestSSHPaths(t *testing.T) {
	if got, want := sshPath(`/a:b%c\d/e.sock`), `/a\:b%%c\\d/e.sock`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// ssh's words about our own forward are seen in whatever pieces they come.
func TestForwardRefusedIsSeen(t *testing.T) {
	const text = "Warning: remote port forwarding failed for listen path /there/ssh-a.sock\r\n"
	for size := 1; size < len(text); size += 7 {
		var out strings.Builder
		f := &forwardRefused{to: &out, path: "/there/ssh-a.sock"}
		for chunk := range slices.Chunk([]byte(strings.Repeat("x", 2000)+text), size) {
			if n, err := f.Write(chunk); n != len(chunk) || err != nil {
				t.Fatal(n, err)
			}
		}
		if !f.seen() || !strings.HasSuffix(out.String(), text) {
			t.Errorf("in pieces of %d: %v", size, f.seen())
		}
	}
	f := &forwardRefused{to: &strings.Builder{}, path: "/there/ssh-b.sock"}
	if _, _ = f.Write([]byte(text)); f.seen() {
		t.Error("another forward of the user's is taken for ours")
	}
}
