package oauth

import (
	"context"
	"errors"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/datakey"
	"github.com/mcp-credential/mcp-credential/source"
)

// ClientCredentials is the kind of machine identity that any authorization server may know.
const ClientCredentials = "client-credentials"

// Machine gets tokens by the client credentials grant (RFC 6749 section 4.4; MCP's SEP-1046) for a client whose
// issuer, ID and secret or key a person has written down.
type Machine struct {
	*Source
	Issuer     string
	ClientID   string
	SecretFile string
	KeyFile    credential.ClientKey
	AuthMethod string // as credential.Target has it
}

// Check says what the configuration lacks. It reads no file. Errors are of kind Misconfigured.
func (m Machine) Check() error {
	var missing []string
	for _, need := range [][2]string{{m.Issuer, "issuer"}, {m.ClientID, "client_id"}, {m.SecretFile + m.KeyFile.File, "client_secret_file or client_key_file"}} {
		if need[0] == "" {
			missing = append(missing, need[1])
		}
	}
	if missing == nil {
		return nil
	}
	return credential.Fail(credential.Misconfigured, "the machine identity ("+ClientCredentials+") is incomplete; config.toml lacks "+strings.Join(missing, ", "), nil)
}

// Token makes one token request to t's endpoint. The secret file is read anew each time.
func (m Machine) Token(ctx context.Context, t credential.Target) (credential.Token, error) {
	secret, err := m.secret()
	if err != nil {
		return credential.Token{}, err
	}
	t.Key = m.KeyFile
	c, err := newClient(t, m.ClientID, secret, m.AuthMethod)
	if err != nil {
		return credential.Token{}, err
	}
	form := newForm("client_credentials", t)
	set(form, "scope", strings.Join(t.Scopes, " "))
	r, err := m.send(ctx, t.Endpoints.Token, c, form)
	if err != nil {
		return credential.Token{}, err
	}
	a, err := m.accept(r, t, c, credential.Grant{})
	return a.Token, machineRefusal(err)
}

// machineRefusal turns what would need a person into a refusal: there is none.
func machineRefusal(err error) error {
	var e *credential.Error
	if errors.As(err, &e) && e.Kind == credential.StepUp {
		e.Kind = credential.Refused
	}
	return err
}

// Key derives a data key from the client's private key, else from its secret, where that is long enough.
func (m Machine) Key(salt []byte) (credential.Secret, error) {
	if m.KeyFile.File != "" {
		return keyOf(m.KeyFile.File, salt)
	}
	secret, err := m.secret()
	if err != nil {
		return credential.Secret{}, err
	}
	return datakey.Derive([]byte(secret.Reveal()), salt)
}

func (m Machine) secret() (credential.Secret, error) {
	if m.SecretFile == "" {
		return credential.Secret{}, nil
	}
	data, err := source.ReadFile(m.SecretFile, "client secret file")
	return credential.NewSecret(strings.TrimRight(string(data), "\r\n")), err
}
