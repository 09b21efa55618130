package keychain

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/mcp-credential/mcp-credential/credential"
)

// Names of the Secret Service API (freedesktop.org, Secret Service API draft 0.2).
const (
	serviceName = "org.freedesktop.secrets"
	servicePath = dbus.ObjectPath("/org/freedesktop/secrets")
	loginPath   = servicePath + "/collection/login"
	noPath      = dbus.ObjectPath("/")

	serviceIface    = "org.freedesktop.Secret.Service."
	collectionIface = "org.freedesktop.Secret.Collection."
	itemIface       = "org.freedesktop.Secret.Item."
	promptIface     = "org.freedesktop.Secret.Prompt"
	propertiesIface = "org.freedesktop.DBus.Properties."
)

// secret is the wire form of a secret: session, parameters of its encryption, value, content type.
type secret struct {
	Session     dbus.ObjectPath
	Parameters  []byte
	Value       []byte
	ContentType string
}

// dbusSession is one connection to the Secret Service, from dialling to closing; it lasts for one operation, so that
// nothing outlives a restart of the daemon.
type dbusSession struct {
	conn        *dbus.Conn
	interactive bool
}

// call runs a method within credential.KeychainCall and types its error. A daemon that is not running is started by
// the bus.
func (c *dbusSession) call(ctx context.Context, path dbus.ObjectPath, method string, args, results []any) error {
	ctx, cancel := context.WithTimeout(ctx, credential.KeychainCall)
	defer cancel()
	err := c.conn.Object(serviceName, path).CallWithContext(ctx, method, 0, args...).Store(results...)
	if err != nil && ctx.Err() != nil {
		return credential.Fail(credential.KeychainBroken, "the Secret Service did not answer in time", ctx.Err())
	}
	return typedBusError(err)
}

// typedBusError types an error of the bus or the service by its name; the message is the daemon's own and not repeated.
func typedBusError(err error) error {
	var e dbus.Error
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &e):
		return credential.Fail(credential.KeychainBroken, "the connection to the Secret Service broke", err)
	case e.Name == "org.freedesktop.Secret.Error.IsLocked":
		return lockedError(nil)
	case e.Name == "org.freedesktop.DBus.Error.ServiceUnknown", e.Name == "org.freedesktop.DBus.Error.NameHasNoOwner",
		strings.HasPrefix(e.Name, "org.freedesktop.DBus.Error.Spawn."):
		return credential.Fail(credential.KeychainMissing, "no Secret Service runs on the session bus", errors.New(e.Name))
	}
	return credential.Fail(credential.KeychainBroken, "the Secret Service refused a request", errors.New(e.Name))
}

func lockedError(cause error) error {
	return credential.Fail(credential.KeychainLocked, "the Secret Service keyring is locked", cause)
}

// openSession agrees on how secrets travel: "plain". The socket is local and belongs to the user, and whoever could
// read it along could as well ask the daemon; the Diffie-Hellman variant (1024 bits, unauthenticated) would add a key
// exchange to every read and keep nobody out.
func (c *dbusSession) openSession(ctx context.Context) (session dbus.ObjectPath, err error) {
	var output dbus.Variant
	err = c.call(ctx, servicePath, serviceIface+"OpenSession", []any{"plain", dbus.MakeVariant("")}, []any{&output, &session})
	return session, err
}

// collection returns where items are kept: the default collection, else "login"; noPath where there is neither.
func (c *dbusSession) collection(ctx context.Context) (path dbus.ObjectPath, err error) {
	err = c.call(ctx, servicePath, serviceIface+"ReadAlias", []any{"default"}, []any{&path})
	if err != nil || path != noPath {
		return path, err
	}
	var all []dbus.ObjectPath
	if err := c.property(ctx, servicePath, serviceIface, "Collections", &all); err != nil {
		return noPath, err
	}
	if slices.Contains(all, loginPath) {
		return loginPath, nil
	}
	return noPath, nil
}

func (c *dbusSession) property(ctx context.Context, path dbus.ObjectPath, iface, name string, result any) error {
	var v dbus.Variant
	args := []any{strings.TrimSuffix(iface, "."), name}
	if err := c.call(ctx, path, propertiesIface+"Get", args, []any{&v}); err != nil {
		return err
	}
	return typedBusError(v.Store(result))
}

// find returns the item with these attributes, unlocked, or noPath. Searching never prompts. Where a locked collection
// shows nothing (KeePassXC), it is unlocked before the item is taken to be absent.
func (c *dbusSession) find(ctx context.Context, attributes map[string]string) (dbus.ObjectPath, error) {
	unlocked, locked, err := c.search(ctx, attributes)
	if err != nil {
		return noPath, err
	}
	if len(unlocked) == 0 && len(locked) == 0 {
		if locked, err = c.lockedCollection(ctx); err != nil {
			return noPath, err
		}
	}
	if len(unlocked) == 0 && len(locked) > 0 {
		if err := c.unlock(ctx, locked); err != nil {
			return noPath, err
		}
		if unlocked, _, err = c.search(ctx, attributes); err != nil {
			return noPath, err
		}
	}
	if len(unlocked) == 0 {
		return noPath, nil
	}
	return slices.Min(unlocked), nil // somebody may have copied it: always the same one
}

func (c *dbusSession) search(ctx context.Context, attributes map[string]string) (unlocked, locked []dbus.ObjectPath, err error) {
	err = c.call(ctx, servicePath, serviceIface+"SearchItems", []any{attributes}, []any{&unlocked, &locked})
	return unlocked, locked, err
}

func (c *dbusSession) lockedCollection(ctx context.Context) ([]dbus.ObjectPath, error) {
	path, err := c.collection(ctx)
	if err != nil || path == noPath {
		return nil, err
	}
	var locked bool
	if err := c.property(ctx, path, collectionIface, "Locked", &locked); err != nil || !locked {
		return nil, err
	}
	return []dbus.ObjectPath{path}, nil
}

// unlock asks the person at the desktop to unlock objects; where nobody may be asked it fails at once.
func (c *dbusSession) unlock(ctx context.Context, objects []dbus.ObjectPath) error {
	if !c.interactive {
		return lockedError(nil)
	}
	var done []dbus.ObjectPath
	prompt := noPath
	if err := c.call(ctx, servicePath, serviceIface+"Unlock", []any{objects}, []any{&done, &prompt}); err != nil {
		return err
	}
	_, err := c.prompt(ctx, prompt)
	return err
}

// prompt shows a prompt of the daemon and waits for its result until ctx ends. Closing the connection dismisses it.
func (c *dbusSession) prompt(ctx context.Context, path dbus.ObjectPath) (result dbus.Variant, err error) {
	if path == noPath {
		return result, nil
	}
	if !c.interactive {
		return result, lockedError(nil)
	}
	signals := make(chan *dbus.Signal, 16)
	c.conn.Signal(signals)
	defer c.conn.RemoveSignal(signals)
	match := []dbus.MatchOption{dbus.WithMatchObjectPath(path), dbus.WithMatchInterface(promptIface), dbus.WithMatchMember("Completed")}
	if err := c.conn.AddMatchSignalContext(ctx, match...); err != nil {
		return result, typedBusError(err)
	}
	if err := c.call(ctx, path, promptIface+".Prompt", []any{""}, nil); err != nil {
		return result, err
	}
	return awaitPrompt(ctx, path, signals)
}

func awaitPrompt(ctx context.Context, path dbus.ObjectPath, signals <-chan *dbus.Signal) (result dbus.Variant, err error) {
	for {
		select {
		case <-ctx.Done():
			return result, lockedError(ctx.Err())
		case s, open := <-signals:
			if !open {
				return result, lockedError(errors.New("the connection ended"))
			}
			if s.Path != path || s.Name != promptIface+".Completed" {
				continue
			}
			var dismissed bool
			if err := dbus.Store(s.Body, &dismissed, &result); err != nil {
				return result, typedBusError(err)
			}
			if dismissed {
				return result, lockedError(errors.New("the request to unlock it was dismissed"))
			}
			return result, nil
		}
	}
}
