package archtest

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// front is all that the front links outside macOS, without the internal packages of the standard library. What is not
// here could wait, or costs a share of the time that a process takes to start: no net/http, no log, no kong, no
// keychain library, no D-Bus, no TOML, no os/user.
var front = strings.Fields(`
	bufio bytes cmp context crypto crypto/aes crypto/cipher crypto/fips140 crypto/rand crypto/sha256 crypto/subtle
	encoding encoding/base64 encoding/binary encoding/hex encoding/json errors fmt hash io io/fs iter math math/big math/bits
	math/rand math/rand/v2 net/netip net/url os path path/filepath reflect runtime slices sort strconv strings sync
	sync/atomic syscall time unicode unicode/utf16 unicode/utf8 unique unsafe weak
`)

// frontWindows is what comes on top there: the core is a child (os/exec), and x/sys/windows names a type of package net,
// of which nothing is called.
var frontWindows = strings.Fields("golang.org/x/sys/windows net os/exec structs")

// frontOwn are the packages of this module in it.
var frontOwn = strings.Fields("cache cmd/call cmd/mcp-credential credential helper internal/atomicfile internal/wait internal/detach internal/home internal/microsoft protocol state")

func TestFrontLinksNothingThatWaits(t *testing.T) {
	for goos, allowed := range map[string][]string{
		"linux":   slices.Concat(front, []string{"golang.org/x/sys/unix"}),
		"freebsd": slices.Concat(front, []string{"golang.org/x/sys/unix"}),
		"windows": slices.Concat(front, frontWindows),
	} {
		t.Run(goos, func(t *testing.T) {
			linked := deps(t, goos, "cmd/mcp-credential")
			for _, path := range linked {
				own, isOwn := strings.CutPrefix(path, module+"/")
				if isOwn && !slices.Contains(frontOwn, own) || !isOwn && !inside(path) && !slices.Contains(allowed, path) {
					t.Errorf("the front links %s", path)
				}
			}
			for _, own := range frontOwn {
				if !slices.Contains(linked, module+"/"+own) {
					t.Errorf("the front no longer links %s: delete it here", own)
				}
			}
		})
	}
}

// inside reports whether a package is internal to the standard library.
func inside(path string) bool {
	return strings.HasPrefix(path, "internal/") || strings.HasPrefix(path, "vendor/") || strings.Contains(path, "/internal/")
}

// deps returns everything that a package of this module links on goos.
func deps(t *testing.T, goos, pkg string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "./"+pkg)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH=amd64", "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}

// Every front starts the core, or on macOS is it: there, and only there, the two are one program.
func TestTheCoreIsTheFrontOnMacOSAlone(t *testing.T) {
	if !slices.Contains(deps(t, "darwin", "cmd/mcp-credential"), module+"/cmd/core") {
		t.Error("the front of macOS does not contain the core")
	}
}
