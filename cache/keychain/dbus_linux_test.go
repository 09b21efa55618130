package keychain

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// silentBus is a bus that accepts connections, as many as there are, and never answers.
func silentBus(t *testing.T) (address string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "bus") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "bus")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close(); _ = os.RemoveAll(dir) })
	go func() {
		var held []net.Conn // nothing closes them before the listener ends
		for {
			conn, err := listener.Accept()
			if err != nil {
				break
			}
			held = append(held, conn)
		}
		for _, conn := range held {
			_ = conn.Close()
		}
	}()
	return "unix:path=" + path
}

func TestABusThatNeverAnswers(t *testing.T) {
	t.Parallel()
	address := silentBus(t)
	for name, interactive := range map[string]bool{"nobody there": false, "a person there": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			_, err := openSecretServiceAt(t.Context(), Options{Home: homeA, Interactive: interactive}.withDefaults(), address)
			wantKind(t, err, credential.KeychainBroken)
			if took := time.Since(start); took > credential.KeychainCall+time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestACancelledContextEndsTheConversation(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := openSecretServiceAt(ctx, Options{Home: homeA}.withDefaults(), silentBus(t))
	wantKind(t, err, credential.KeychainBroken)
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestNoBusMeansNoSecretService(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for _, address := range []string{
		"unix:path=" + none, "unix:abstract=mcp-credential-test-none", "tcp:host=127.0.0.1,port=1", "autolaunch:", "", "nonsense",
	} {
		_, err := openSecretServiceAt(t.Context(), Options{Home: homeA}.withDefaults(), address)
		wantKind(t, err, credential.KeychainMissing)
	}
}

func TestSocketPaths(t *testing.T) {
	for address, want := range map[string][]string{
		"unix:path=/run/user/1000/bus":                      {"/run/user/1000/bus"},
		"unix:path=/tmp/a%20b,guid=00ff":                    {"/tmp/a b"},
		"unix:abstract=/tmp/dbus-x,guid=1;unix:path=/y":     {"@/tmp/dbus-x", "/y"},
		"tcp:host=h,path=/x;unixexec:path=/bin/sh;unix:":    nil,
		"unix:path=%zz;unix:path=;unix:tmpdir=/tmp;launchd": nil,
	} {
		if got := socketPaths(address); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
}

// TestMainIsReachedPastASilentBus builds a program that links the keychains: without busguard it hangs before main.
func TestMainIsReachedPastASilentBus(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "guarded")
	if out, err := exec.Command("go", "build", "-o", program, "./testdata/guarded").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	bus := silentBus(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	run := exec.CommandContext(ctx, program)
	run.Env = []string{"DBUS_SESSION_BUS_ADDRESS=" + bus, "GODEBUG=inittrace=1"}
	var trace strings.Builder
	run.Stderr = &trace
	start := time.Now()
	out, err := run.Output()
	if err != nil {
		t.Fatalf("run: %v\n%s", err, trace.String())
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("it took %v", took)
	}
	if want := "6 " + bus + " " + bus + "\n"; string(out) != want {
		t.Errorf("it said %q, want %q", out, want)
	}
	checkOrder(t, trace.String())
}

// checkOrder wants busguard initialised before everything that dials a bus. The library's own import of D-Bus is
// github.com/godbus/dbus, without a version.
func checkOrder(t *testing.T, trace string) {
	t.Helper()
	var order []string
	for _, m := range regexp.MustCompile(`(?m)^init (\S+) @`).FindAllStringSubmatch(trace, -1) {
		order = append(order, m[1])
	}
	ours := slices.Index(order, "github.com/mcp-credential/mcp-credential/internal/busguard")
	for _, name := range []string{"net", "github.com/godbus/dbus", "github.com/99designs/keyring"} {
		if at := slices.Index(order, name); ours < 0 || at < 0 || at < ours {
			t.Errorf("busguard is initialised at %d, %s at %d", ours, name, at)
		}
	}
}
