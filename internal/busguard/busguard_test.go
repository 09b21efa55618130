package busguard_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/mcp-credential/mcp-credential/internal/busguard"
)

// TestMain prints what a freshly started process sees before and after Restore, when it is asked to.
func TestMain(m *testing.M) {
	if os.Getenv("BUSGUARD_CHILD") == "1" {
		show()
		busguard.Restore()
		show()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func show() {
	bus, found := os.LookupEnv("DBUS_SESSION_BUS_ADDRESS")
	wallet, walletFound := os.LookupEnv("DISABLE_KWALLET")
	println(bus, found, wallet, walletFound, busguard.Address())
}

func TestTheEnvironmentIsGuardedUntilRestore(t *testing.T) {
	for name, c := range map[string]struct{ env, want []string }{
		"with a bus": {[]string{"DBUS_SESSION_BUS_ADDRESS=unix:path=/x", "DISABLE_KWALLET=0"},
			[]string{"mcp-credential-guard: true 1 true unix:path=/x", "unix:path=/x true 0 true unix:path=/x"}},
		"without": {nil, []string{"mcp-credential-guard: true 1 true ", " false  false "}},
	} {
		t.Run(name, func(t *testing.T) {
			child := exec.Command(os.Args[0])
			child.Env = append([]string{"BUSGUARD_CHILD=1"}, c.env...)
			out, err := child.CombinedOutput()
			if err != nil {
				t.Fatalf("child: %v\n%s", err, out)
			}
			if got, want := string(out), strings.Join(c.want, "\n")+"\n"; got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}
