// Package busguard keeps a linked library from dialling D-Bus before main runs: while packages are initialised the
// process has a bus address that fails at once, and Restore gives it back the real one. It leaves talking to the bus
// to cache/keychain.
//
// The library is github.com/99designs/keyring v1.2.2, whose init functions (secretservice.go, kwallet.go) connect to
// the session bus in every process that links it, without a timeout: a bus that accepts and never answers hangs the
// process before main, and without an address each process may leave a dbus-daemon behind (dbus-launch).
package busguard

// Only syscall: Go initialises packages in the order of their import paths as soon as their own imports are ready
// (the Go specification, "Program initialization"; cmd/link sorts them). With syscall alone as import, this package is
// ready long before net is, and everything that speaks D-Bus needs net. A test in cache/keychain pins the order.
import "syscall"

const (
	addressName = "DBUS_SESSION_BUS_ADDRESS"
	kwalletName = "DISABLE_KWALLET"

	// dead names a transport that no D-Bus library knows, so that dialling fails without a system call.
	dead = "mcp-credential-guard:"
)

// setting is one environment variable as the process was given it.
type setting struct {
	name, value string
	found       bool
}

// saved is filled while packages are initialised, the one place in this module where that does work: nothing that
// main does could come before the library's init functions.
var saved = guard()

func guard() [2]setting {
	was := [2]setting{lookup(addressName), lookup(kwalletName)}
	_ = syscall.Setenv(addressName, dead)
	_ = syscall.Setenv(kwalletName, "1")
	return was
}

func lookup(name string) setting {
	value, found := syscall.Getenv(name)
	return setting{name, value, found}
}

// Address returns the session bus address that the process was started with, or "" where it had none.
func Address() string { return saved[0].value }

// Restore gives the environment back as it was, for children that need the bus (xdg-open, pinentry). It is the first
// statement of main, before anything else reads or changes the environment.
func Restore() {
	for _, s := range saved {
		if s.found {
			_ = syscall.Setenv(s.name, s.value)
		} else {
			_ = syscall.Unsetenv(s.name)
		}
	}
}
