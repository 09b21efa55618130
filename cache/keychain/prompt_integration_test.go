//go:build integration && linux

package keychain

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/mcp-credential/mcp-credential/credential"
)

// desk is a Secret Service with one locked item, and a person who answers its prompts, or does not. It stands for the
// desktop that a test machine lacks.
type desk struct {
	conn   *dbus.Conn
	answer string // what the person does: "unlock", "dismiss" or "nothing"

	mu       sync.Mutex
	locked   bool
	prompted int
	value    []byte
}

const (
	deskItem   = loginPath + "/1"
	deskPrompt = servicePath + "/prompt/1"
)

func (d *desk) OpenSession(string, dbus.Variant) (dbus.Variant, dbus.ObjectPath, *dbus.Error) {
	return dbus.MakeVariant(""), servicePath + "/session/1", nil
}

func (d *desk) ReadAlias(string) (dbus.ObjectPath, *dbus.Error) { return loginPath, nil }

func (d *desk) SearchItems(map[string]string) (unlocked, locked []dbus.ObjectPath, _ *dbus.Error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locked {
		return nil, []dbus.ObjectPath{deskItem}, nil
	}
	return []dbus.ObjectPath{deskItem}, nil, nil
}

func (d *desk) Unlock([]dbus.ObjectPath) ([]dbus.ObjectPath, dbus.ObjectPath, *dbus.Error) {
	return nil, deskPrompt, nil
}

// Prompt is the method of org.freedesktop.Secret.Prompt.
func (d *desk) Prompt(string) *dbus.Error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.prompted++
	if d.answer == "nothing" {
		return nil
	}
	d.locked = d.answer != "unlock"
	_ = d.conn.Emit(deskPrompt, promptIface+".Completed", d.locked, dbus.MakeVariant([]dbus.ObjectPath{}))
	return nil
}

func (d *desk) GetSecret(session dbus.ObjectPath) (secret, *dbus.Error) {
	return secret{Session: session, Parameters: []byte{}, Value: d.value, ContentType: "text/plain"}, nil
}

// serve puts a desk on the bus of this test.
func serve(t *testing.T, answer string) *desk {
	t.Helper()
	conn, err := dialBus(t.Context(), busAddress())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	d := &desk{conn: conn, answer: answer, locked: true, value: []byte("value")}
	for path, iface := range map[dbus.ObjectPath]string{servicePath: serviceIface, deskItem: itemIface, deskPrompt: promptIface + "."} {
		if err := conn.Export(d, path, iface[:len(iface)-1]); err != nil {
			t.Fatal(err)
		}
	}
	if reply, err := conn.RequestName(serviceName, dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatalf("name: %v, %v", reply, err)
	}
	return d
}

func TestAskingAPersonToUnlock(t *testing.T) {
	beside(t, "bus", func(t *testing.T) {
		person := Options{Store: "secret-service", Home: homeA, Interactive: true}
		t.Run("who unlocks", func(t *testing.T) {
			d := serve(t, "unlock")
			wantValue(t, mustOpen(t, person), "item", []byte("value"))
			if d.prompted != 1 {
				t.Errorf("%d prompts", d.prompted)
			}
		})
		t.Run("who dismisses", func(t *testing.T) {
			serve(t, "dismiss")
			_, err := mustOpen(t, person).Get(t.Context(), "item")
			wantKind(t, err, credential.KeychainLocked)
		})
		t.Run("who is away", func(t *testing.T) {
			serve(t, "nothing")
			k := mustOpen(t, person)
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			within(t, 2*time.Second, func() {
				_, err := k.Get(ctx, "item")
				wantKind(t, err, credential.KeychainLocked)
			})
		})
		t.Run("nobody may be asked", func(t *testing.T) {
			d := serve(t, "unlock")
			k := mustOpen(t, Options{Store: "secret-service", Home: homeA})
			_, err := k.Get(t.Context(), "item")
			wantKind(t, err, credential.KeychainLocked)
			if d.prompted != 0 {
				t.Errorf("%d prompts", d.prompted)
			}
		})
	})
}
