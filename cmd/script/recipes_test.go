package script

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/fakeworld"
	"github.com/mcp-credential/mcp-credential/internal/fakeworld/entra"
)

// recipe is what a section of docs/servers.md tells a person to write.
type recipe struct {
	login  []string // the flags of mcp-credential login
	config string   // for config.toml; may be empty
}

var (
	loginLine   = regexp.MustCompile("(?m)^mcp-credential login (.*)$")
	configBlock = regexp.MustCompile("(?s)```toml\n(.*?)```")
	evidence    = regexp.MustCompile(`(?s)<https://[^>]+>.*\((?:[^()]*, )?(?:read )?20\d\d-\d\d-\d\d[,)]`)
)

// recipes reads docs/servers.md, section by section.
func recipes(t *testing.T) map[string]recipe {
	t.Helper()
	data, err := os.ReadFile("../../docs/servers.md")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(data), "\r\n", "\n")
	out := map[string]recipe{}
	for _, section := range strings.Split(text, "\n## ")[1:] {
		name, _, _ := strings.Cut(section, "\n")
		logins := loginLine.FindAllStringSubmatch(section, -1)
		if len(logins) != 1 || !evidence.MatchString(section) || !strings.Contains(text, "\n| ["+name+"](#") {
			t.Fatalf("%s needs one login line, pages with their dates, and a row in the table", name)
		}
		words := strings.Fields(logins[0][1])
		r := recipe{login: words[:len(words)-1]} // the last is the URL
		if m := configBlock.FindStringSubmatch(section); m != nil {
			r.config = m[1]
		}
		out[name] = r
	}
	return out
}

// filled puts the fake's own URL, client, port and files in the place of the provider's; nothing else changes.
func (r recipe) filled(p provider) recipe {
	client := fakeworld.PublicClient
	if p.secret {
		client = fakeworld.ConfidentialClient
	}
	if strings.HasPrefix(p.world, "entra") {
		client = entra.Client
	}
	own := map[string]string{"--client-id": client, "--client-secret-file": "given-secret", "--callback-port": "$PORT", "--tenant": entra.Tenant}
	login := append([]string{}, r.login...)
	for i := 1; i < len(login); i++ {
		if value := own[login[i-1]]; value != "" {
			login[i] = value
		}
	}
	config := r.config
	for _, c := range []struct{ pattern, with string }{
		{`\[servers\."[^"]*"\]`, `[servers."$$URL"]`},
		{`client_id = ".*"`, `client_id = "` + client + `"`},
		{`client_secret_file = ".*"`, `client_secret_file = '$${WORK}$${/}given-secret'`},
		{`(redirect_uri = "http://localhost):\d+`, `${1}:$$PORT`},
		{`(?m)^issuer = ".*"`, `issuer = "$$ORIGIN"`},
		{`metadata_url = "https://[^/]+(/.well-known/[^/]+)/.*"`, `metadata_url = "$$ORIGIN${1}/tenant"`},
	} {
		config = regexp.MustCompile(c.pattern).ReplaceAllString(config, c.with)
	}
	return recipe{login, config}
}

// redirect is the flag that makes the world know the recipe's redirect URI and no other.
func (r recipe) redirect() string {
	uri := "http://localhost:$PORT/callback"
	if m := regexp.MustCompile(`redirect_uri = "(.*)"`).FindStringSubmatch(r.config); m != nil {
		uri = m[1]
	} else if !strings.Contains(strings.Join(r.login, " "), "--callback-port") {
		return ""
	}
	return " -exact-ports -redirect " + uri
}

// script signs in by the recipe, gets a token, refreshes it once, and gets the same one again.
func (r recipe) script(p provider) string {
	login := strings.Join(append([]string{"mcp-credential login"}, r.login...), " ") + " $URL"
	lines := []string{"freeport PORT", "world " + p.world + r.redirect()}
	if p.knobs != "" {
		lines = append(lines, "expand knobs.json", "knobs knobs.json")
	}
	lines = append(lines, p.refused)
	if r.config+p.builtIn != "" {
		lines = append(lines, "configure config.toml")
	}
	lines = append(lines, "exits 0 "+login, "exits 0 mcp-credential get $URL", "stdout '^(at_|eyJ)'", "take FIRST")
	if !strings.HasPrefix(p.world, "entra") {
		lines = append(lines, "exits 0 mcp-credential doctor $URL")
	}
	if p.eternal {
		lines = append(lines, "exits 0 mcp-credential get $URL", "stdout ^$FIRST", "stats token_ok.refresh_token 0")
	} else {
		lines = append(lines, "control '{\"reset_stats\":true}'", "exits 0 mcp-credential erase $URL", "exits 0 mcp-credential get $URL", "! stdout $FIRST",
			"take SECOND", "exits 0 mcp-credential get $URL", "stdout ^$SECOND", "stats token_ok.refresh_token 1", "stats token.refresh_token 1")
	}
	return strings.Join(append(lines, p.after), "\n") + "\n-- config.toml --\n" + r.config + p.builtIn +
		"\n-- knobs.json --\n" + p.knobs + "\n-- given-secret --\n" + fakeworld.ConfidentialSecret + "\n-- given-wrong --\nwrong\n"
}

// TestRecipes does what docs/servers.md says at fakes of the providers it is about.
func TestRecipes(t *testing.T) {
	dir, written := t.TempDir(), recipes(t)
	tested := map[string]bool{}
	for i, p := range providers {
		name, _, _ := strings.Cut(p.name, ",")
		r, ok := written[name]
		if !ok {
			t.Fatalf("docs/servers.md has no section %s", name)
		}
		tested[name] = true
		file := fmt.Sprintf("%02d_%s.txtar", i, strings.NewReplacer(" ", "_", ",", "").Replace(p.name))
		if err := os.WriteFile(filepath.Join(dir, file), []byte(r.filled(p).script(p)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name := range written {
		if !tested[name] {
			t.Errorf("no provider tests the section %s", name)
		}
	}
	runScripts(t, dir)
}

// expand FILE puts environment variables into a file; ORIGIN is that of ISSUER.
func expand(ts *testscript.TestScript, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: expand FILE")
	}
	text := os.Expand(ts.ReadFile(args[0]), func(name string) string {
		if name != "ORIGIN" {
			return ts.Getenv(name)
		}
		u, err := url.Parse(ts.Getenv("ISSUER"))
		ts.Check(err)
		return credential.Origin(u.String())
	})
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// configure FILE makes a file with environment variables in it the configuration.
func configure(ts *testscript.TestScript, args []string) {
	expand(ts, args)
	home := ts.Getenv("MCPCRED_HOME")
	ts.Check(os.MkdirAll(home, 0o700))
	ts.Check(os.WriteFile(filepath.Join(home, "config.toml"), []byte(ts.ReadFile(args[0])), 0o600))
}
