//go:build hosts && linux

package hosts

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// keys is a model provider that takes the access tokens of a world in place of a key. It answers nothing of use: what matters is
// what a host brings.
type keys struct {
	*httptest.Server
	taken chan struct{} // a request has come with a token that is good
}

func startKeys(t *testing.T, p *place) *keys {
	t.Helper()
	k := &keys{taken: make(chan struct{}, 1)}
	k.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, key := range []string{strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), r.Header.Get("X-Api-Key")} {
			if key != "" && p.admits(r.Context(), key) {
				select {
				case k.taken <- struct{}{}:
				default:
				}
			}
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(func() {
		k.CloseClientConnections()
		k.Close()
	})
	return k
}

// admits asks the world about a token.
func (p *place) admits(ctx context.Context, token string) bool {
	ask, err := http.NewRequestWithContext(ctx, http.MethodGet, p.world.ServerURL()+"/ping", nil)
	if err != nil {
		return false
	}
	ask.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(ask)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// Hosts that take the key of their model from a command take the token of a get.
func TestModelKeys(t *testing.T) {
	for name, run := range map[string]func(ctx context.Context, p *place, model, get string) *exec.Cmd{
		"Claude Code": func(ctx context.Context, p *place, model, get string) *exec.Cmd {
			p.writeJSON(".claude.json", object{"hasCompletedOnboarding": true})
			p.writeJSON(".claude/settings.json", object{"apiKeyHelper": get})
			return p.command(ctx, []string{"ANTHROPIC_BASE_URL=" + model, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1", "DISABLE_AUTOUPDATER=1"},
				filepath.Join(modules, "@anthropic-ai/claude-code-linux-"+arch(), "claude"), "-p", "go")
		},
		"Copilot CLI": func(ctx context.Context, p *place, model, get string) *exec.Cmd {
			return p.command(ctx, []string{"COPILOT_OFFLINE=true", "COPILOT_PROVIDER_BASE_URL=" + model + "/v1", "COPILOT_MODEL=gpt-4.1", "COPILOT_PROVIDER_API_KEY_COMMAND=" + get},
				filepath.Join(node, "node"), filepath.Join(modules, "@github/copilot/npm-loader.js"), "-p", "go", "--allow-all-tools")
		},
		"Codex": func(ctx context.Context, p *place, model, get string) *exec.Cmd {
			program, url, _ := strings.Cut(get, " get ")
			p.write(".codex/config.toml", fmt.Sprintf("model_provider = \"own\"\nmodel = \"m\"\n[model_providers.own]\nname = \"own\"\nbase_url = %q\nwire_api = \"responses\"\n"+
				"[model_providers.own.auth]\ncommand = %q\nargs = [\"get\", \"--wait\", \"4s\", %q]\n", model+"/v1", program, url))
			return p.command(ctx, []string{"CODEX_HOME=" + p.path(".codex")}, codexProgram(t), "exec", "--skip-git-repo-check", "go")
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlaceWith(t, time.Hour) // a host that is refused keeps its key
			p.login()
			k := startKeys(t, p)
			ctx, cancel := context.WithTimeout(t.Context(), total)
			defer cancel()
			c := run(ctx, p, k.URL, bin("mcp-credential")+" get "+p.world.ServerURL())
			ended := make(chan string, 1)
			go func() {
				out, err := c.CombinedOutput()
				ended <- fmt.Sprintf("%v\n%s", err, out)
			}()
			select {
			case <-k.taken:
				cancel()
				<-ended
			case said := <-ended:
				t.Errorf("no token came: %s", tail(said))
			}
		})
	}
}
