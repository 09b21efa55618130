package helper

import "github.com/mcp-credential/mcp-credential/credential"

// RefreshCommand and OfferCommand name the hidden core commands that run detached.
const (
	RefreshCommand = "refresh"
	OfferCommand   = "offer"
)

// Renewal is one refresh to do. Client, tenant, identity and scopes of Query are those of a machine identity: a sign-in has
// them in its record.
type Renewal struct {
	Query   credential.Query
	Refused string            // fingerprint of a token that the server refused
	Prompt  bool              // offer a sign-in when only a person can help
	Claims  string            // of a challenge, which are no secret: JSON for the claims parameter
	Token   *credential.Token // gets the access token, where not nil, also where that could not be stored
}

// Args is the command line of a detached process that does it.
func (r Renewal) Args() []string {
	args := commandLine(RefreshCommand, r.Query, "--refused", r.Refused, "--claims", r.Claims)
	if r.Prompt {
		args = append(args, "--prompt=once")
	}
	return args
}

// commandLine is that of a detached process for a question; more are names and values of flags.
func commandLine(command string, q credential.Query, more ...string) []string {
	args := []string{command, q.URL}
	flags := append([]string{"--account", q.Account, "--client-id", q.ClientID, "--tenant", q.Tenant, "--identity", q.Identity}, more...)
	for i := 0; i < len(flags); i += 2 {
		if flags[i+1] != "" {
			args = append(args, flags[i]+"="+flags[i+1])
		}
	}
	for _, s := range q.Scopes {
		args = append(args, "--scope="+s)
	}
	return args
}
