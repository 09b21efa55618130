package keychain

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/busguard"
)

// busAddress is the session bus of this process, else the one systemd keeps for the user: hosts scrub the variable.
func busAddress() string {
	if a := busguard.Address(); a != "" {
		return a
	}
	return "unix:path=/run/user/" + strconv.Itoa(os.Geteuid()) + "/bus"
}

// socketPaths returns the Unix sockets of a D-Bus address (D-Bus specification, "Server Addresses"), abstract ones with
// a leading "@". Other transports are left out: on a network the session could be read along, and autolaunch starts
// daemons.
func socketPaths(address string) []string {
	var out []string
	for one := range strings.SplitSeq(address, ";") {
		options, found := strings.CutPrefix(one, "unix:")
		for option := range strings.SplitSeq(options, ",") {
			key, escaped, _ := strings.Cut(option, "=")
			value, err := url.PathUnescape(escaped)
			if !found || err != nil || value == "" {
				continue
			}
			switch key {
			case "path":
				out = append(out, value)
			case "abstract":
				out = append(out, "@"+value)
			}
		}
	}
	return out
}

// dialBus connects, authenticates and says hello, within credential.KeychainCall. It dials itself because godbus dials
// without a context. No bus is kind KeychainMissing; one that does not answer is kind KeychainBroken. The connection
// ends with ctx.
func dialBus(ctx context.Context, address string) (*dbus.Conn, error) {
	socket, err := dialSocket(ctx, address)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = socket.Close() })
	conn, err := dbus.NewConn(socket)
	if err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	_ = socket.SetDeadline(time.Now().Add(credential.KeychainCall))
	err = conn.Auth(nil)
	if err == nil {
		err = conn.Hello()
	}
	if err != nil {
		_ = conn.Close()
		return nil, credential.Fail(credential.KeychainBroken, "the session bus does not answer", err)
	}
	_ = socket.SetDeadline(time.Time{})
	return conn, nil
}

func dialSocket(ctx context.Context, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: credential.KeychainCall}
	for _, path := range socketPaths(address) {
		socket, err := dialer.DialContext(ctx, "unix", path)
		if err == nil {
			return socket, nil
		}
		if !errors.Is(err, syscall.ENOENT) && !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.EACCES) {
			return nil, credential.Fail(credential.KeychainBroken, "the session bus cannot be reached", err)
		}
	}
	return nil, credential.Fail(credential.KeychainMissing, "there is no session bus for the Secret Service", nil)
}
