//go:build integration && (windows || (darwin && cgo))

package keychain

import "testing"

// TestNative runs against the keychain of the operating system, that of the user who runs the tests.
func TestNative(t *testing.T) {
	open := func(t *testing.T, home string) Keychain { return mustOpen(t, Options{Home: home}) }
	t.Run("contract", func(t *testing.T) { contract(t, open, true) })
	t.Run("kills", func(t *testing.T) {
		k := open(t, homeA)
		survivesKills(t, Options{Store: k.Store(), Home: homeA}, 25, killProcess)
		for _, id := range []string{"killed", "timed"} {
			if err := k.Delete(t.Context(), id); err != nil {
				t.Error(err)
			}
		}
	})
}
