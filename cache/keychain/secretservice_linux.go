package keychain

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/mcp-credential/mcp-credential/credential"
)

// secretService speaks the Secret Service API over D-Bus (gnome-keyring, KDE's ksecretd and kwalletd, KeePassXC). It
// has its own client because the calls of the keyring library have no ends.
type secretService struct {
	address     string
	home        string
	interactive bool
}

func openSecretService(ctx context.Context, o Options) (Keychain, error) {
	return openSecretServiceAt(ctx, o, busAddress())
}

// openSecretServiceAt looks whether there is a service with a collection to keep items in. Without a collection it is
// of use only where a person can be asked to make one.
func openSecretServiceAt(ctx context.Context, o Options, address string) (Keychain, error) {
	s := &secretService{address: address, home: o.Home, interactive: o.Interactive}
	k := &store{raw: s, name: nameSecretService, tier: "Secret Service", wait: wait(o.Interactive)}
	err := k.do(ctx, "open", func(ctx context.Context) error {
		return s.withSession(ctx, func(c *dbusSession) error {
			path, err := c.collection(ctx)
			if err == nil && path == noPath && !o.Interactive {
				err = credential.Fail(credential.KeychainMissing, "the Secret Service has no default keyring", nil)
			}
			k.tier += c.daemon(ctx)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return k, nil
}

// withSession opens a dbusSession for f.
func (s *secretService) withSession(ctx context.Context, f func(c *dbusSession) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	conn, err := dialBus(ctx, s.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	return f(&dbusSession{conn: conn, interactive: s.interactive})
}

// attributes find an item again. The schema name is what KDE and Seahorse tell applications apart by.
func (s *secretService) attributes(id string) map[string]string {
	return map[string]string{
		"xdg:schema": "io.github.mcp-credential.SignIn", "application": "mcp-credential", "home": s.home, "id": id,
	}
}

func (s *secretService) get(ctx context.Context, id string) (value []byte, err error) {
	err = s.withSession(ctx, func(c *dbusSession) error {
		item, err := c.find(ctx, s.attributes(id))
		if err != nil {
			return err
		}
		if item == noPath {
			return credential.ErrNoItem
		}
		session, err := c.openSession(ctx)
		if err != nil {
			return err
		}
		var got secret
		err = c.call(ctx, item, itemIface+"GetSecret", []any{session}, []any{&got})
		value = got.Value
		return err
	})
	return value, err
}

// set changes an item that exists in place: it stays the same item to a person and to other programs. gnome-keyring
// writes its file anew, syncs and renames it before it answers.
func (s *secretService) set(ctx context.Context, id, label string, value []byte) error {
	return s.withSession(ctx, func(c *dbusSession) error {
		item, err := c.find(ctx, s.attributes(id))
		if err != nil {
			return err
		}
		session, err := c.openSession(ctx)
		if err != nil {
			return err
		}
		wire := secret{Session: session, Parameters: []byte{}, Value: value, ContentType: "application/octet-stream"}
		if item == noPath {
			return s.create(ctx, c, id, label, wire)
		}
		if err := c.call(ctx, item, itemIface+"SetSecret", []any{wire}, nil); err != nil {
			return err
		}
		_ = c.setLabel(ctx, item, label) // the value is safe; an old title is no failure
		return nil
	})
}

func (s *secretService) create(ctx context.Context, c *dbusSession, id, label string, wire secret) error {
	collection, err := c.ensureCollection(ctx)
	if err != nil {
		return err
	}
	properties := map[string]dbus.Variant{
		itemIface + "Label":      dbus.MakeVariant(label),
		itemIface + "Attributes": dbus.MakeVariant(s.attributes(id)),
	}
	item, prompt := noPath, noPath
	err = c.call(ctx, collection, collectionIface+"CreateItem", []any{properties, wire, true}, []any{&item, &prompt})
	if err != nil {
		return err
	}
	_, err = c.prompt(ctx, prompt)
	return err
}

func (s *secretService) remove(ctx context.Context, id string) error {
	return s.withSession(ctx, func(c *dbusSession) error {
		for {
			item, err := c.find(ctx, s.attributes(id))
			if err != nil || item == noPath {
				return err
			}
			prompt := noPath
			if err := c.call(ctx, item, itemIface+"Delete", nil, []any{&prompt}); err != nil {
				return err
			}
			if _, err := c.prompt(ctx, prompt); err != nil {
				return err
			}
		}
	})
}

// ensureCollection lets a person make the default collection where there is none, as libsecret does.
func (c *dbusSession) ensureCollection(ctx context.Context) (dbus.ObjectPath, error) {
	path, err := c.collection(ctx)
	if err != nil || path != noPath {
		return path, err
	}
	properties := map[string]dbus.Variant{collectionIface + "Label": dbus.MakeVariant("Default keyring")}
	prompt := noPath
	err = c.call(ctx, servicePath, serviceIface+"CreateCollection", []any{properties, "default"}, []any{&path, &prompt})
	if err != nil || prompt == noPath {
		return path, err
	}
	result, err := c.prompt(ctx, prompt)
	if err != nil {
		return noPath, err
	}
	err = typedBusError(result.Store(&path))
	return path, err
}

func (c *dbusSession) setLabel(ctx context.Context, item dbus.ObjectPath, label string) error {
	var now string
	if err := c.property(ctx, item, itemIface, "Label", &now); err != nil || now == label {
		return err
	}
	args := []any{strings.TrimSuffix(itemIface, "."), "Label", dbus.MakeVariant(label)}
	return c.call(ctx, item, propertiesIface+"Set", args, nil)
}

// daemon names the program behind the service, for people, as " (NAME)"; empty where the bus or /proc does not tell.
func (c *dbusSession) daemon(ctx context.Context) string {
	var pid uint32
	err := c.conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.GetConnectionUnixProcessID", 0, serviceName).Store(&pid)
	comm, readErr := os.ReadFile("/proc/" + strconv.Itoa(int(pid)) + "/comm")
	if errors.Join(err, readErr) != nil {
		return ""
	}
	name := credential.Printable(strings.TrimSpace(string(comm)), 20)
	switch {
	case name == "gnome-keyring-d": // the kernel keeps 15 bytes
		name = "gnome-keyring"
	case name == "ksecretd", strings.HasPrefix(name, "kwalletd"):
		name = "KDE Wallet"
	}
	return " (" + name + ")"
}
