package docs_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld/entra"
	"github.com/mcp-credential/mcp-credential/internal/testsupport"
)

// contained makes this test binary, started again, a container: it closes the kernel's keyrings to itself, as the
// default seccomp filter of container runtimes does, and becomes its arguments.
const contained = "DOCS_TEST_CONTAINED"

func becomeContained() error {
	if err := testsupport.RefuseKeyrings(); err != nil {
		return err
	}
	return syscall.Exec(os.Args[1], os.Args[1:], os.Environ())
}

// In a container a long secret seals its token itself; a federated identity has nothing to seal with and asks each time.
// status says so.
func TestContainers(t *testing.T) {
	for _, c := range []struct {
		name, tier string
		requests   int
		identity   func(j *job)
	}{
		{"secret", "key derived from the secret", 1, func(j *job) {}},
		{"workload", "nowhere", 3, func(j *job) {
			v := j.voucher("https://oidc.cluster.example", "system:serviceaccount:default:agent")
			j.write("token", v.Token(entra.ExchangeAudience), 0o600)
			delete(j.env, "AZURE_CLIENT_SECRET")
			j.env["AZURE_FEDERATED_TOKEN_FILE"] = j.dir + "/token"
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := newJob(t)
			args := j.service()
			c.identity(j)
			gets := 3
			if c.requests == 1 {
				gets = 100
			}
			for range gets {
				if out, words, err := j.contained(args...); err != nil || out == "" || words != "" {
					t.Fatalf("%v %q %s", err, out, words)
				}
			}
			if n := j.world.Stats().Token["client_credentials"]; n != c.requests {
				t.Errorf("%d requests", n)
			}
			if out, _, err := j.contained("status", j.world.ServerURL(1)); err != nil || !strings.Contains(out, c.tier) {
				t.Errorf("%v %s", err, out)
			}
			j.secretless()
		})
	}
}

func (j *job) contained(args ...string) (string, string, error) {
	j.t.Helper()
	self, err := os.Executable()
	if err != nil {
		j.t.Fatal(err)
	}
	return j.run(map[string]string{contained: "1"}, "", self, append([]string{j.dir + "/built/bin/mcp-credential"}, args...)...)
}

// role plays the container where this process is one; it returns only where it is not, or cannot be.
func role() {
	if os.Getenv(contained) == "" {
		return
	}
	_ = os.Unsetenv(contained)
	fmt.Fprintln(os.Stderr, "no container:", becomeContained())
	os.Exit(99)
}

// A home that cannot be made costs a warning and a request.
func TestNoHome(t *testing.T) {
	j := newJob(t)
	args := j.service()
	j.env["MCPCRED_HOME"] = "/proc/mcp-credential"
	out, words, err := j.run(nil, "", "mcp-credential", args...)
	if err != nil || out == "" || !strings.Contains(words, "nothing can be kept") || strings.Count(words, "\n") != 1 {
		t.Errorf("%v %q %s", err, out, words)
	}
}
