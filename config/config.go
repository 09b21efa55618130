// Package config reads config.toml from the home directory: what a person has decided once for every caller. A key it
// does not know is an error that names the line, because a misspelt setting that is ignored is a setting that lies.
// It is the only importer of go-toml, belongs to the core, and leaves obeying the settings to helper.
package config

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/mcp-credential/mcp-credential/credential"
)

// FileName is the name of the file in the home directory.
const FileName = "config.toml"

// maxFile bounds the file in bytes.
const maxFile = 1 << 20

// Config is the whole file. The zero Config is what no file means.
type Config struct {
	Store          string            `toml:"store"`           // which keychain; see docs/config.md
	PassphraseFile string            `toml:"passphrase_file"` // of the encrypted file
	Prompt         string            `toml:"prompt"`          // never or once
	Wait           string            `toml:"wait"`            // a Go duration, such as "8s"
	Notify         bool              `toml:"notify"`
	Remember       *bool             `toml:"remember"` // bridges keep what servers say of themselves; nil: yes
	Servers        map[string]Server `toml:"servers"`  // by server URL
}

// Server is what the file says about one server.
type Server struct {
	Name                    string            `toml:"name"`
	ClientID                string            `toml:"client_id"`
	ClientSecretFile        string            `toml:"client_secret_file"`
	ClientKeyFile           string            `toml:"client_key_file"`            // the client's private key: PEM
	ClientKeyID             string            `toml:"client_key_id"`              // kid
	ClientKeyAlgorithm      string            `toml:"client_key_algorithm"`       // of its signatures
	AssertionAudience       string            `toml:"assertion_audience"`         // of what proves the client or the workload
	RedirectURI             string            `toml:"redirect_uri"`               // that the client was registered with, on this machine
	AuthMethod              string            `toml:"token_endpoint_auth_method"` // that the client was registered with
	Params                  map[string]string `toml:"authorization_params"`       // more of the authorization request
	Identity                string            `toml:"identity"`                   // kind of the machine identity that answers
	Tenant                  string            `toml:"tenant"`                     // Entra ID
	CertificateFile         string            `toml:"certificate_file"`           // of a service principal: PEM or PFX
	CertificatePasswordFile string            `toml:"certificate_password_file"`  // of a PFX
	FederatedTokenFile      string            `toml:"federated_token_file"`       // of a workload identity
	Scopes                  []string          `toml:"scopes"`                     // replace those that the server publishes
	Account                 string            `toml:"account"`                    // the default --account
	Issuer                  string            `toml:"issuer"`                     // the only authorization server to accept
	IdentityProvider        string            `toml:"identity_provider"`          // issuer whose sign-in serves this server
	IDTokenFile             string            `toml:"id_token_file"`              // of an identity provider: its word for a person, made elsewhere
	MetadataURL             string            `toml:"metadata_url"`               // where the authorization server's metadata is
	AssumePKCE              bool              `toml:"assume_pkce"`                // the authorization server checks S256 without announcing it
	Resource                string            `toml:"resource"`                   // accept this resource in the metadata of a server that gets its own wrong
	Headers                 map[string]string `toml:"headers"`                    // of every request of a bridge
	Store                   string            `toml:"store"`                      // keychain for the sign-ins of this server
	Prompt                  string            `toml:"prompt"`
}

// Load reads path. No file is the zero Config; a file that cannot be used is an error of kind BadInput.
func Load(path string) (Config, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Config{}, nil
	}
	if err == nil && (!info.Mode().IsRegular() || info.Size() > maxFile) {
		return Config{}, credential.Fail(credential.BadInput, path+" is larger than 1 MiB or not a regular file", nil)
	}
	if err == nil {
		err = checkOwner(path, info)
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(path)
	}
	if err != nil {
		return Config{}, credential.Fail(credential.BadInput, "cannot read "+path, err)
	}
	c, err := Parse(credential.WithoutBOM(data))
	if err != nil {
		return Config{}, credential.Fail(credential.BadInput, path, err)
	}
	return c, nil
}

// Parse decodes and checks the text of a configuration file.
func Parse(data []byte) (Config, error) {
	var c Config
	dec := toml.NewDecoder(strings.NewReader(string(data)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return Config{}, describe(err)
	}
	return c, c.check()
}

// describe turns go-toml's errors into one line that names the place.
func describe(err error) error {
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) && len(unknown.Errors) > 0 {
		e := unknown.Errors[0]
		row, _ := e.Position()
		return errors.New("line " + strconv.Itoa(row) + ": unknown setting " + strconv.Quote(strings.Join(e.Key(), ".")))
	}
	var syntax *toml.DecodeError
	if errors.As(err, &syntax) {
		row, _ := syntax.Position()
		if strings.Contains(syntax.Error(), "struct field") { // of this program: nothing to a reader
			return errors.New("line " + strconv.Itoa(row) + ": the setting " + strconv.Quote(strings.Join(syntax.Key(), ".")) + " has a value of the wrong type")
		}
		return errors.New("line " + strconv.Itoa(row) + ": " + strings.TrimPrefix(syntax.Error(), "toml: "))
	}
	return err
}

func (c *Config) check() error {
	if err := checkPrompt("prompt", c.Prompt); err != nil {
		return err
	}
	if _, err := c.WaitTime(); err != nil {
		return err
	}
	servers := make(map[string]Server, len(c.Servers))
	for raw, s := range c.Servers {
		url, err := credential.ParseServerURL(raw)
		if err != nil {
			return errors.New("servers." + strconv.Quote(raw) + ": " + err.Error())
		}
		if err := s.check(); err != nil {
			return errors.New("servers." + strconv.Quote(raw) + "." + err.Error())
		}
		servers[url] = s
	}
	c.Servers = servers
	return nil
}

func (s Server) check() error {
	for _, scope := range s.Scopes {
		if !credential.CheckScope(scope) {
			return errors.New("scopes: " + strconv.Quote(scope) + " is not a scope")
		}
	}
	if s.Issuer != "" {
		if err := credential.CheckEndpoint(s.Issuer, "issuer"); err != nil {
			return err
		}
	}
	if s.MetadataURL != "" {
		if err := credential.CheckEndpoint(s.MetadataURL, "metadata_url"); err != nil {
			return err
		}
	}
	if s.IdentityProvider != "" {
		if err := credential.CheckEndpoint(s.IdentityProvider, "identity_provider"); err != nil {
			return err
		}
		if s.Identity != "" {
			return errors.New("identity_provider: a server has that or an identity, not both")
		}
	}
	if err := s.checkClient(); err != nil {
		return err
	}
	if err := s.checkHeaders(); err != nil {
		return err
	}
	if err := checkIdentity(s.Identity); err != nil {
		return err
	}
	return checkPrompt("prompt", s.Prompt)
}

// ownParams are those of the authorization request that a sign-in is made of, and those that would replace it as a whole
// (RFC 9101) or send its answer another way.
var ownParams = []string{
	"response_type", "client_id", "redirect_uri", "state", "code_challenge", "code_challenge_method", "scope", "resource", "claims",
	"nonce", "response_mode", "request", "request_uri",
}

// checkClient judges what is said about a client that was registered by hand.
func (s Server) checkClient() error {
	if s.RedirectURI != "" {
		if err := credential.CheckRedirect(s.RedirectURI); err != nil {
			return errors.New("redirect_uri: " + err.Error())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Params)) {
		if name == "" || slices.Contains(ownParams, name) {
			return errors.New("authorization_params: " + strconv.Quote(name) + " cannot be set: the sign-in sets it itself")
		}
	}
	algorithms := []string{"RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"}
	if s.ClientKeyAlgorithm != "" && !slices.Contains(algorithms, s.ClientKeyAlgorithm) {
		return errors.New("client_key_algorithm is " + strconv.Quote(s.ClientKeyAlgorithm) + "; it can be one of " + strings.Join(algorithms, ", "))
	}
	methods := []string{"none", "client_secret_basic", "client_secret_post", "private_key_jwt"}
	if s.AuthMethod != "" && !slices.Contains(methods, s.AuthMethod) {
		return errors.New("token_endpoint_auth_method is " + strconv.Quote(s.AuthMethod) + "; it can be one of " + strings.Join(methods, ", "))
	}
	return nil
}

// checkHeaders wants names and values as RFC 9110 section 5 has them, and no secret where this file is no place for one.
func (s Server) checkHeaders() error {
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		switch strings.ToLower(name) {
		case "authorization", "cookie", "proxy-authorization":
			return errors.New("headers: " + name + " is a secret; the bridge's --header @FILE takes it from a file of its own")
		}
		odd := func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", r) }
		if name == "" || strings.ContainsFunc(name, odd) || strings.ContainsFunc(s.Headers[name], func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return errors.New("headers: " + strconv.Quote(name) + " is not a header")
		}
	}
	return nil
}

// checkIdentity knows the kinds of machine identity; what each needs, their sources say.
func checkIdentity(kind string) error {
	kinds := []string{"secret", "certificate", "workload", "github", "pipelines", "managed", "client-credentials"}
	if kind == "" || slices.Contains(kinds, kind) {
		return nil
	}
	return errors.New("identity is " + strconv.Quote(kind) + "; it can be one of " + strings.Join(kinds, ", "))
}

func checkPrompt(key, value string) error {
	switch value {
	case "", "never", "once":
		return nil
	}
	return errors.New(key + " is " + strconv.Quote(value) + "; it can be \"never\" or \"once\"")
}

// WaitTime returns the wait setting, or 0 where there is none.
func (c Config) WaitTime() (time.Duration, error) {
	if c.Wait == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(c.Wait)
	if err != nil || d < 0 {
		return 0, errors.New("wait is " + strconv.Quote(c.Wait) + "; it must be a duration such as \"8s\"")
	}
	return d, nil
}
