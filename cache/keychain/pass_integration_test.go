//go:build integration && linux

package keychain

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/mcp-credential/mcp-credential/credential"
)

func TestPass(t *testing.T) {
	beside(t, "pass", func(t *testing.T) {
		t.Run("contract", func(t *testing.T) { contract(t, real("pass"), true) })
		t.Run("preferred", func(t *testing.T) {
			if k := mustOpen(t, Options{Home: homeA, PassphraseFile: phrase(t, "unused")}); k.Store() != "pass" {
				t.Errorf("chose %s", k.Store())
			}
		})
		t.Run("kills", func(t *testing.T) { survivesKills(t, Options{Store: "pass", Home: homeA}, 25, killGroup) })
		t.Run("a slot that was only begun", func(t *testing.T) {
			k := real("pass")(t, homeA)
			set(t, k, "begun", "old")
			path := filepath.Join(os.Getenv("HOME"), passFolder, "mcp-credential", homeA, "begun.1.gpg")
			for _, rest := range []string{"", "\x85\x01"} {
				if err := os.WriteFile(path, []byte(rest), 0o600); err != nil {
					t.Fatal(err)
				}
				wantValue(t, k, "begun", []byte("old"))
			}
			set(t, k, "begun", "new")
			wantValue(t, k, "begun", []byte("new"))
		})
		t.Run("cost", func(t *testing.T) { logCost(t, Options{Store: "pass", Home: homeA}) })
	})
}

// killGroup makes the child the leader of a group, and kills it with its pass and gpg.
func killGroup(c *exec.Cmd) func() error {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
}

// TestALockedGPGKey has a key whose passphrase nobody gives: pass can encrypt to it, and must not ask for it.
func TestALockedGPGKey(t *testing.T) {
	beside(t, "pass-locked", func(t *testing.T) {
		k := real("pass")(t, homeA)
		set(t, k, "item", "value")
		within(t, credential.KeychainCall, func() {
			_, err := k.Get(t.Context(), "item")
			wantKind(t, err, credential.KeychainLocked)
		})
		wantAbsent(t, k, "absent")
	})
}
