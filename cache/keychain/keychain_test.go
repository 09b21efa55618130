package keychain

import (
	"slices"
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/credential"
)

func TestMemory(t *testing.T) {
	contract(t, func(t *testing.T, home string) Keychain {
		return mustOpen(t, Options{Store: "memory", Home: home})
	}, false)
}

func mustOpen(t *testing.T, o Options) Keychain {
	t.Helper()
	k, err := Open(t.Context(), o)
	if err != nil {
		t.Fatalf("Open %q: %v", o.Store, err)
	}
	return k
}

func TestNamesAreTheTable(t *testing.T) {
	want := []string{"secret-service", "keychain", "wincred", "pass", "file", "memory"}
	if !slices.Equal(Names(), want) {
		t.Errorf("Names %q, want %q", Names(), want)
	}
	for _, goos := range []string{"linux", "darwin", "windows", "freebsd"} {
		for _, name := range preferred(goos) {
			if _, ok := lookup(name); !ok || name == "memory" {
				t.Errorf("%s prefers %q", goos, name)
			}
		}
	}
}

func TestAnUnknownNameIsMisconfigured(t *testing.T) {
	_, err := Open(t.Context(), Options{Store: "kwallet\x1b", Home: homeA})
	wantKind(t, err, credential.Misconfigured)
	for _, name := range Names() {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%q does not name %s", err, name)
		}
	}
	if strings.ContainsRune(err.Error(), 0x1b) {
		t.Errorf("%q holds a control character", err)
	}
}

func TestOpenWantsAHome(t *testing.T) {
	for _, home := range []string{"", "../x"} {
		_, err := Open(t.Context(), Options{Store: "memory", Home: home})
		wantKind(t, err, credential.Internal)
	}
}
