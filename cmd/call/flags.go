// Package call is what the front and the core must agree on about one call of get, store or erase: its flags, where its
// request and its formats come from, and the words and exit codes of its errors. It leaves answering to helper.
package call

import (
	"slices"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/protocol"
)

// Flags are the flags of get, store and erase. The core parses them with kong, whose tags they carry; the front with
// Parse, because kong would double its start-up time. A test holds the two parsers to the same names.
type Flags struct {
	URL       string        `arg:"" optional:"" help:"Server URL. With it, stdin is never read."`
	Input     string        `help:"Read the request in this format: docs/protocol.md." placeholder:"FORMAT"`
	Output    string        `short:"o" help:"Answer in this format: token, headers, header, json, env, azure, kubernetes, bazel, docker, cargo or git." placeholder:"FORMAT"`
	Account   string        `help:"Label of the sign-in to use." placeholder:"LABEL"`
	ClientID  string        `name:"client-id" help:"Use only a sign-in of this OAuth client." placeholder:"ID"`
	Identity  string        `help:"Machine identity of this kind: docs/ci.md." placeholder:"KIND"`
	Tenant    string        `help:"Entra ID tenant of the machine identity." placeholder:"TENANT"`
	Scope     []string      `help:"Additional scope to ask for; can be repeated." sep:"none" placeholder:"SCOPE"`
	Resource  string        `help:"In place of the URL: the server with this resource." placeholder:"URI"`
	Shell     string        `help:"Of env: posix, fish, powershell or cmd." placeholder:"SHELL"`
	Variable  string        `help:"Of env, in place of MCP_ACCESS_TOKEN." placeholder:"NAME"`
	Challenge string        `help:"WWW-Authenticate value of the refused call." placeholder:"VALUE"`
	Prompt    string        `help:"Whether a person may be asked: never or once." placeholder:"POLICY"`
	Wait      time.Duration `help:"How long to wait for a refresh or a sign-in." placeholder:"8s"`
	Notify    bool          `help:"Print one line to stderr after a refresh."`
	Home      string        `help:"Directory for configuration, cache and locks." placeholder:"DIR"`
	Verbose   bool          `short:"v" help:"Print each decision to stderr."`
}

// Parse reads the flags of get the way kong does, as far as hosts use them. false means that only the core can judge
// the command line: an unknown flag, a missing value, help.
func (f *Flags) Parse(args []string) bool {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if !strings.HasPrefix(arg, "-") || arg == "-" {
			if f.URL != "" || arg == "" {
				return false
			}
			f.URL = arg
			continue
		}
		name, value, joined := strings.Cut(arg, "=")
		if yes := f.boolean(name); yes != nil {
			if joined {
				return false
			}
			*yes = true
			continue
		}
		if !joined {
			if i++; i == len(args) || strings.HasPrefix(args[i], "-") {
				return false
			}
			value = args[i]
		}
		if !f.set(name, value) {
			return false
		}
	}
	return true
}

func (f *Flags) boolean(name string) *bool {
	switch name {
	case "--notify":
		return &f.Notify
	case "--verbose", "-v":
		return &f.Verbose
	}
	return nil
}

func (f *Flags) set(name, value string) bool {
	switch name {
	case "--input":
		f.Input = value
	case "--output", "-o":
		f.Output = value
	case "--account":
		f.Account = value
	case "--client-id":
		f.ClientID = value
	case "--scope":
		f.Scope = append(f.Scope, value)
	case "--identity":
		f.Identity = value
	case "--tenant":
		f.Tenant = value
	case "--resource":
		f.Resource = value
	case "--shell":
		f.Shell = value
	case "--variable":
		f.Variable = value
	case "--challenge":
		f.Challenge = value
	case "--prompt":
		f.Prompt = value
	case "--home":
		f.Home = value
	case "--wait":
		d, err := time.ParseDuration(value)
		f.Wait = d
		return err == nil
	default:
		return false
	}
	return true
}

// identities are the kinds of machine identity.
var identities = []string{"secret", "certificate", "workload", "github", "pipelines", "managed", "client-credentials"}

// Check judges the values that kong cannot. Errors are of kind Usage.
func (f *Flags) Check() error {
	switch {
	case f.Prompt != "" && f.Prompt != "never" && f.Prompt != "once":
		return credential.Fail(credential.Usage, "--prompt can be never or once", nil)
	case f.Identity != "" && !slices.Contains(identities, f.Identity):
		return credential.Fail(credential.Usage, "--identity can be one of "+strings.Join(identities, ", "), nil)
	case f.Identity != "" && f.Account != "":
		return credential.Fail(credential.Usage, "--account names a sign-in and --identity a machine identity; use one of them", nil)
	case f.Wait < 0:
		return credential.Fail(credential.Usage, "--wait must not be negative", nil)
	case f.URL != "" && f.Input != "":
		return credential.Fail(credential.Usage, "with a URL on the command line, stdin is not read; remove --input", nil)
	case f.Resource != "" && (f.URL != "" || f.Input != ""):
		return credential.Fail(credential.Usage, "--resource names the server; remove the URL and --input", nil)
	case f.Output != "env" && (f.Shell != "" || f.Variable != ""):
		return credential.Fail(credential.Usage, "--shell and --variable are for --output env", nil)
	}
	for _, s := range f.Scope {
		if !credential.CheckScope(s) {
			return credential.Fail(credential.Usage, "--scope takes one scope (RFC 6749 section 3.3) and can be repeated", nil)
		}
	}
	return protocol.CheckEnv(f.Shell, f.Variable)
}

// resource is the protected resource that stands in place of a URL: --resource, or as the Azure CLI takes it, the one that --scope
// belongs to.
func (f *Flags) resource() string {
	if f.Resource == "" && f.Output == "azure" && f.URL == "" && f.Input == "" && len(f.Scope) == 1 {
		return protocol.AzureResource(f.Scope[0])
	}
	return f.Resource
}

// scopes are those that are asked for besides the approved ones: .default means these.
func (f *Flags) scopes() []string {
	return slices.DeleteFunc(slices.Clone(f.Scope), func(s string) bool { return f.Output == "azure" && strings.HasSuffix(s, "/.default") })
}
