//go:build integration && linux

package keychain

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/mcp-credential/mcp-credential/credential"
)

func TestSecretService(t *testing.T) {
	beside(t, "secret-service", func(t *testing.T) {
		t.Run("contract", func(t *testing.T) { contract(t, real("secret-service"), true) })
		t.Run("preferred", func(t *testing.T) {
			k := mustOpen(t, Options{Home: homeA, PassphraseFile: phrase(t, "unused")})
			if k.Tier() != "Secret Service (gnome-keyring)" || k.Store() != "secret-service" {
				t.Errorf("%s, %s", k.Tier(), k.Store())
			}
		})
		t.Run("kills", func(t *testing.T) {
			survivesKills(t, Options{Store: "secret-service", Home: homeA}, 25, killProcess)
		})
		t.Run("the same item", sameItem)
		t.Run("cost", func(t *testing.T) { logCost(t, Options{Store: "secret-service", Home: homeA}) })
		t.Run("locked", lockedCollection)
		t.Run("stopped", stoppedDaemon)
	})
}

// inConversation runs f on the bus of this test.
func inConversation(t *testing.T, f func(ctx context.Context, s *secretService, c *dbusSession) error) {
	t.Helper()
	s := &secretService{address: busAddress(), home: homeA}
	if err := s.withSession(t.Context(), func(c *dbusSession) error { return f(t.Context(), s, c) }); err != nil {
		t.Fatal(err)
	}
}

func sameItem(t *testing.T) {
	k := real("secret-service")(t, homeA)
	var paths []dbus.ObjectPath
	var label string
	for _, title := range []string{"first title", "second title"} {
		if err := k.Set(t.Context(), "same", title, []byte(title)); err != nil {
			t.Fatal(err)
		}
		inConversation(t, func(ctx context.Context, s *secretService, c *dbusSession) error {
			found, _, err := c.search(ctx, s.attributes("same"))
			paths = append(paths, found...)
			if err != nil {
				return err
			}
			return c.property(ctx, found[0], itemIface, "Label", &label)
		})
	}
	if len(paths) != 2 || paths[0] != paths[1] || label != "second title" {
		t.Errorf("items %q, label %q", paths, label)
	}
}

// lockedCollection has a display in its environment, so that whoever wanted to prompt would.
func lockedCollection(t *testing.T) {
	t.Setenv("DISPLAY", ":99")
	k := real("secret-service")(t, homeA)
	set(t, k, "item", "value")
	inConversation(t, func(ctx context.Context, _ *secretService, c *dbusSession) error {
		var locked []dbus.ObjectPath
		prompt := noPath
		return c.call(ctx, servicePath, serviceIface+"Lock", []any{[]dbus.ObjectPath{loginPath}}, []any{&locked, &prompt})
	})
	wantRefusals(t, k, time.Second, credential.KeychainLocked)
	within(t, time.Second, func() { // it is still the one that holds the items
		k := mustOpen(t, Options{Home: homeA, PassphraseFile: phrase(t, "unused")})
		if k.Store() != "secret-service" {
			t.Errorf("a locked keyring made room for %s", k.Store())
		}
	})
}

func stoppedDaemon(t *testing.T) {
	k := real("secret-service")(t, homeA)
	var pid uint32
	inConversation(t, func(ctx context.Context, _ *secretService, c *dbusSession) error {
		return c.conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.GetConnectionUnixProcessID", 0, serviceName).Store(&pid)
	})
	if err := syscall.Kill(int(pid), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(int(pid), syscall.SIGCONT) }()
	wantRefusals(t, k, credential.KeychainCall+time.Second, credential.KeychainBroken)
	within(t, credential.KeychainCall+time.Second, func() {
		_, err := Open(t.Context(), Options{Home: homeA, PassphraseFile: phrase(t, "unused")})
		wantKind(t, err, credential.KeychainBroken)
	})
}

func TestASecretServiceWithoutAKeyring(t *testing.T) {
	beside(t, "no-collection", func(t *testing.T) {
		_, err := Open(t.Context(), Options{Store: "secret-service", Home: homeA})
		wantKind(t, err, credential.KeychainMissing)
		if k := mustOpen(t, Options{Home: homeA, Dir: t.TempDir(), PassphraseFile: phrase(t, "p")}); k.Store() != "file" {
			t.Errorf("chose %s", k.Store())
		}
		mustOpen(t, Options{Store: "secret-service", Home: homeA, Interactive: true})
	})
}

func TestNothingUsable(t *testing.T) {
	beside(t, "bus", func(t *testing.T) {
		var trace []string
		_, err := Open(t.Context(), Options{Home: homeA, Trace: func(s string) { trace = append(trace, s) }})
		wantKind(t, err, credential.KeychainMissing)
		if len(trace) != 3 || !strings.Contains(err.Error(), "MCPCRED_PASSPHRASE_FILE") {
			t.Errorf("%v, after %q", err, trace)
		}
	})
}
