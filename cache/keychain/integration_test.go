//go:build integration && linux

package keychain

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// insideKind is set in a test process that runs beside a real keychain.
const insideKind = "KEYCHAIN_TEST_INSIDE"

// beside runs the calling test again beside a real keychain that scripts/keychain-env.sh starts; the process there
// runs inside. A missing program is a failure.
func beside(t *testing.T, kind string, inside func(t *testing.T)) {
	t.Helper()
	if os.Getenv(insideKind) == kind {
		inside(t)
		return
	}
	again := exec.Command("../../scripts/keychain-env.sh", kind, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=100s")
	again.Env = append(os.Environ(), insideKind+"="+kind)
	out, err := again.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("beside %s: %v", kind, err)
	}
}

func real(store string) func(*testing.T, string) Keychain {
	return func(t *testing.T, home string) Keychain { return mustOpen(t, Options{Store: store, Home: home}) }
}

// logCost reports what a Get costs.
func logCost(t *testing.T, o Options) {
	k := mustOpen(t, o)
	set(t, k, "cost", "value")
	set(t, k, "cost", "another value")
	var took []time.Duration
	for range 21 {
		start := time.Now()
		wantValue(t, k, "cost", []byte("another value"))
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	t.Logf("%s: a Get takes %.1f ms (median)", k.Tier(), float64(took[len(took)/2].Microseconds())/1000)
}

// within fails when f takes longer than limit.
func within(t *testing.T, limit time.Duration, f func()) {
	t.Helper()
	start := time.Now()
	f()
	if took := time.Since(start); took > limit {
		t.Errorf("it took %v, more than %v", took, limit)
	}
}

// wantRefusals wants every operation to end within limit with an error of this kind.
func wantRefusals(t *testing.T, k Keychain, limit time.Duration, kind credential.Kind) {
	t.Helper()
	t.Run("refusals", func(t *testing.T) {
		for name, f := range map[string]func(context.Context) error{
			"get":    func(ctx context.Context) error { _, err := k.Get(ctx, "item"); return err },
			"absent": func(ctx context.Context) error { _, err := k.Get(ctx, "absent"); return err },
			"set":    func(ctx context.Context) error { return k.Set(ctx, "item", "label", []byte("new")) },
			"delete": func(ctx context.Context) error { return k.Delete(ctx, "item") },
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				within(t, limit, func() { wantKind(t, f(t.Context()), kind) })
			})
		}
	})
}

func TestFileCost(t *testing.T) { logCost(t, fileOptions(t)) }
