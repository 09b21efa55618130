package archtest

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// sys is golang.org/x/sys: system calls by name, no SDK.
const sys = "golang.org/x/sys"

// layout is every package, leaf first, with all that it imports beyond the standard library on any system; a new arrow
// needs a reason before it gets a row here. Tests may import what they like of this module.
var layout = map[string][]string{
	"credential": {},

	// Mechanisms.
	"internal/atomicfile": {sys},
	"internal/browser":    {"credential", sys},
	"internal/busguard":   {},
	"internal/datakey":    {"credential"},
	"internal/detach":     {"credential", sys},
	"internal/dpop":       {"credential", "github.com/go-jose/go-jose/v4"},
	"internal/wait":       {},
	"internal/home":       {"credential"},
	"internal/loopback":   {"credential", "internal/wait", sys},
	"internal/microsoft":  {"credential"},
	"internal/webclient":  {"credential", sys},

	// The front's world.
	"protocol":           {"credential", "internal/microsoft"},
	"cache":              {"credential", "internal/atomicfile", "internal/home", sys},
	"state":              {"credential", "internal/atomicfile", "internal/home"},
	"helper":             {"cache", "credential", "internal/wait", "internal/home", "internal/microsoft", "state"},
	"cmd/call":           {"credential", "protocol", sys},
	"cmd/mcp-credential": {"cache", "cmd/call", "cmd/core", "credential", "helper", "internal/detach", "internal/home", "state", sys},

	// The core's world.
	"cache/keychain":  {"credential", "internal/atomicfile", "internal/busguard", "github.com/99designs/keyring", "github.com/godbus/dbus/v5"},
	"config":          {"credential", "github.com/pelletier/go-toml/v2"},
	"discovery":       {"credential", "internal/dpop", "internal/microsoft", "internal/webclient", "github.com/modelcontextprotocol/go-sdk/oauthex"},
	"source":          {"credential", "internal/loopback", "internal/wait"},
	"source/workload": {"credential", "internal/webclient", "source"},
	"source/oauth": {
		"credential", "internal/wait", "internal/datakey", "internal/dpop", "internal/loopback", "internal/webclient", "source",
		"github.com/go-jose/go-jose/v4", "github.com/go-jose/go-jose/v4/jwt",
	},
	"source/entra": {
		"credential", "internal/wait", "internal/loopback", "internal/microsoft", "internal/webclient", "source", "source/workload",
		"github.com/AzureAD/microsoft-authentication-library-for-go/apps/cache",
		"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential",
		"github.com/AzureAD/microsoft-authentication-library-for-go/apps/managedidentity",
		"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public",
		"internal/datakey", "software.sslmate.com/src/go-pkcs12",
	},
	"forward":            {"credential", sys},
	"host":               {"credential", "github.com/pelletier/go-toml/v2", "github.com/pelletier/go-toml/v2/unstable", "github.com/tailscale/hujson"},
	"host/change":        {"host", "internal/atomicfile"},
	"doctor":             {"cache", "credential", "discovery", "helper", "host", "internal/home", "state"},
	"bridge/jsonrpc":     {"github.com/go-json-experiment/json/jsontext"},
	"bridge/token":       {"credential", "discovery", "internal/wait", "golang.org/x/sync/singleflight"},
	"bridge/signin":      {"bridge/jsonrpc", "bridge/token", "credential", "internal/wait"},
	"bridge/streamable":  {"bridge/jsonrpc", "bridge/token", "credential", "discovery", "internal/dpop", "internal/wait", "internal/webclient", "golang.org/x/sync/singleflight"},
	"bridge/standin":     {"bridge/jsonrpc"},
	"bridge/stdio":       {sys},
	"bridge/credentials": {"bridge/signin", "bridge/token", "credential", "discovery", "helper"},
	"bridge":             {"bridge/jsonrpc", "bridge/signin", "bridge/standin", "bridge/streamable", "bridge/token", "credential", "internal/wait"},
	"cmd/core": {
		"bridge", "bridge/credentials", "bridge/signin", "bridge/stdio", "cache", "cache/keychain", "cmd/call", "config", "credential",
		"discovery", "doctor", "forward", "helper", "host", "host/change", "internal/wait", "internal/browser", "internal/busguard", "internal/detach", "internal/home",
		"internal/loopback", "internal/microsoft", "internal/webclient", "protocol", "source", "source/entra", "source/oauth", "source/workload", "state",
		"github.com/alecthomas/kong", "github.com/rogpeppe/go-internal/diff", "golang.org/x/term",
	},
	"cmd/mcp-credential-core": {"cmd/call", "cmd/core"},

	// The workshop: tests, demo, measurements. Nothing above imports it.
	"cmd/script":                       {},
	"docs":                             {},
	"integration":                      {},
	"integration/clients":              {"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy", "github.com/Azure/azure-sdk-for-go/sdk/azidentity", "github.com/docker/docker-credential-helpers/client", "github.com/docker/docker-credential-helpers/credentials", "k8s.io/client-go/rest", "k8s.io/client-go/tools/clientcmd"},
	"integration/hosts":                {},
	"integration/release":              {},
	"integration/windows":              {},
	"internal/archtest":                {},
	"internal/testsupport":             {sys},
	"internal/fakeworld":               {"credential", "internal/webclient", "github.com/go-jose/go-jose/v4", "github.com/go-jose/go-jose/v4/jwt"},
	"internal/fakeworld/cmd/fakeworld": {"github.com/go-jose/go-jose/v4", "github.com/go-jose/go-jose/v4/jwt", "internal/fakeworld", "internal/fakeworld/entra", "internal/fakeworld/mcpserver"},
	"internal/fakeworld/entra":         {"internal/fakeworld"},
	"internal/fakeworld/mcphost":       {},
	"internal/fakeworld/mcpserver":     {"internal/fakeworld", "github.com/modelcontextprotocol/go-sdk/mcp"},
	"scripts/bench":                    {"cache", "credential", "helper", "internal/fakeworld/mcphost", "internal/home", "state"},
	"scripts/conformance/driver":       {"internal/fakeworld/mcphost"},
	"scripts/pictures":                 {},
	"scripts/demo":                     {"cmd/call", "internal/fakeworld", "internal/fakeworld/mcpserver", "internal/wait"},
}

// sdks are the modules of others, each with the packages that import it, in tests too. One product package each: the
// second row of go-sdk is the protected MCP server of the tests, and the bridge is tested between its two ends.
var sdks = map[string][]string{
	"github.com/99designs/keyring":                                                    {"cache/keychain"},
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/cache":           {"source/entra"},
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential":    {"source/entra"},
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/managedidentity": {"source/entra"},
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public":          {"source/entra"},
	"software.sslmate.com/src/go-pkcs12":                                              {"source/entra"},
	"github.com/go-json-experiment/json/jsontext":                                     {"bridge/jsonrpc"},
	"github.com/go-jose/go-jose/v4":                                                   {"internal/dpop", "internal/fakeworld", "internal/fakeworld/cmd/fakeworld", "source/oauth"},
	"github.com/go-jose/go-jose/v4/jwt":                                               {"internal/fakeworld", "internal/fakeworld/cmd/fakeworld", "source/oauth"},
	"golang.org/x/sync/singleflight":                                                  {"bridge/streamable", "bridge/token"},
	"github.com/alecthomas/kong":                                                      {"cmd/core"},
	"github.com/anishathalye/porcupine":                                               {"integration"},
	"github.com/godbus/dbus/v5":                                                       {"cache/keychain"},
	"github.com/modelcontextprotocol/go-sdk/mcp":                                      {"bridge", "internal/fakeworld/mcpserver"},
	"github.com/modelcontextprotocol/go-sdk/oauthex":                                  {"discovery"},
	"github.com/pelletier/go-toml/v2":                                                 {"config", "host"},
	"github.com/pelletier/go-toml/v2/unstable":                                        {"host"},
	"github.com/rogpeppe/go-internal/diff":                                            {"cmd/core"},
	"github.com/rogpeppe/go-internal/txtar":                                           {"host"},
	"github.com/tailscale/hujson":                                                     {"host"},
	"github.com/rogpeppe/go-internal/testscript":                                      {"cmd/script"},
	"golang.org/x/term":                                                               {"cmd/core"},

	// In a module of their own.
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy":     {"integration/clients"},
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity":        {"integration/clients"},
	"github.com/docker/docker-credential-helpers/client":      {"integration/clients"},
	"github.com/docker/docker-credential-helpers/credentials": {"integration/clients"},
	"k8s.io/client-go/rest":                                   {"integration/clients"},
	"k8s.io/client-go/tools/clientcmd":                        {"integration/clients"},
}

// foreign reports whether an import path belongs to another module: its first element has a dot.
func foreign(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return strings.Contains(first, ".")
}

// arrow turns an import path into what the layout calls it, and "" for the standard library.
func arrow(path string, own map[string]bool) string {
	switch {
	case path == sys || strings.HasPrefix(path, sys+"/"):
		return sys
	case own[path], foreign(path):
		return path
	}
	return ""
}

// arrows returns what every package imports, and whether tests are asked for.
func arrows(t *testing.T, tests bool) map[string]map[string]bool {
	t.Helper()
	all, own := sources(t, tests), map[string]bool{}
	for _, f := range sources(t, true) {
		own[f.dir] = true
	}
	out := map[string]map[string]bool{}
	for _, f := range all {
		if out[f.dir] == nil {
			out[f.dir] = map[string]bool{}
		}
		for _, path := range f.imports() {
			if a := arrow(path, own); a != "" && a != f.dir {
				out[f.dir][a] = true
			}
		}
	}
	return out
}

func TestArrows(t *testing.T) {
	found := arrows(t, false)
	for pkg := range arrows(t, true) {
		if layout[pkg] == nil {
			t.Errorf("the package %s is not in the layout", pkg)
		}
	}
	for pkg, allowed := range layout {
		for a := range found[pkg] {
			if !slices.Contains(allowed, a) {
				t.Errorf("new arrow: %s -> %s", pkg, a)
			}
		}
		for _, a := range allowed {
			if !found[pkg][a] {
				t.Errorf("no longer there, delete it from the layout: %s -> %s", pkg, a)
			}
		}
	}
}

// No arrow leads back: with the layout's table every package can be put before those that import it.
func TestLayoutHasNoCycle(t *testing.T) {
	done := map[string]bool{}
	for range layout {
		for pkg, imports := range layout {
			done[pkg] = done[pkg] || !slices.ContainsFunc(imports, func(i string) bool { return layout[i] != nil && !done[i] })
		}
	}
	for pkg, ok := range done {
		if !ok {
			t.Errorf("%s is in or above a cycle", pkg)
		}
	}
}

func TestEverySDKHasOneImporter(t *testing.T) {
	found := map[string][]string{}
	for pkg, imports := range arrows(t, true) {
		for i := range imports {
			if foreign(i) && i != sys {
				found[i] = append(found[i], pkg)
			}
		}
	}
	if len(found) == 0 {
		t.Fatal("no SDK was found")
	}
	for _, sdk := range slices.Sorted(maps.Keys(found)) {
		slices.Sort(found[sdk])
		if !slices.Equal(found[sdk], sdks[sdk]) {
			t.Errorf("%s is imported by %v, not by %v", sdk, found[sdk], sdks[sdk])
		}
	}
	for sdk := range sdks {
		if found[sdk] == nil {
			t.Errorf("nobody imports %s any more: delete its row", sdk)
		}
	}
}
