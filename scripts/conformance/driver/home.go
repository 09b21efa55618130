package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// furnish fills the home of a run: the passphrase of the encrypted file, the client secret that the suite gives, and
// what an administrator would have written into the configuration.
func (s *scenario) furnish(ctx context.Context, home, server string) error {
	files := map[string]string{
		"passphrase": "for the conformance suite", "secret": s.context.ClientSecret, "key": s.context.PrivateKey, "assertion": s.context.Assertion, "id-token": s.context.IDToken,
		"config.toml": "",
	}
	if s.machine() {
		issuer, err := issuer(ctx, server)
		if err != nil {
			return err
		}
		settings := fmt.Sprintf("[servers.%q]\nissuer = %q\nclient_id = %q\n", server, issuer, s.context.ClientID)
		for name, value := range s.identity() {
			if strings.HasSuffix(name, "_file") {
				value = filepath.Join(home, value)
			}
			settings += fmt.Sprintf("%s = %q\n", name, value)
		}
		if s.context.Provider != "" {
			settings += fmt.Sprintf("[servers.%q]\nclient_id = %q\nid_token_file = %q\n", s.context.Provider, s.context.ProviderID, filepath.Join(home, "id-token"))
		}
		files["config.toml"] = settings
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// identity is what the configuration says about a client that is a program; nil: it is a person.
func (s *scenario) identity() map[string]string {
	managed := map[string]string{"identity_provider": s.context.Provider, "client_secret_file": "secret"}
	return map[string]map[string]string{
		"auth/cross-app-access-complete-flow":   managed,
		"auth/enterprise-managed-authorization": managed,
		"auth/client-credentials-basic":         {"identity": "client-credentials", "client_secret_file": "secret"},
		"auth/client-credentials-jwt":           {"identity": "client-credentials", "client_key_file": "key", "client_key_algorithm": s.context.Algorithm},
		"auth/wif-jwt-bearer":                   {"identity": "workload", "federated_token_file": "assertion"},
	}[s.name]
}

// issuer looks up what the suite does not tell, and the product never believes a server for: who issues tokens for a
// program. An administrator knows it.
func issuer(ctx context.Context, server string) (string, error) {
	u, err := url.Parse(server)
	if err != nil {
		return "", err
	}
	u.Path = "/.well-known/oauth-protected-resource" + u.Path
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var meta struct {
		Servers []string `json:"authorization_servers"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&meta); err != nil {
		return "", err
	}
	if len(meta.Servers) == 0 {
		return "", errors.New("the server names no authorization server")
	}
	return meta.Servers[0], nil
}
