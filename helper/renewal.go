package helper

import "github.com/mcp-credential/mcp-credential/credential"

// RefreshCommand and OfferCommand name the hidden core commands that run detached.
const (
	RefreshCommand = "refresh"
	OfferCommand   = "offer"
)

// RefreshArgs is the command line of a detached refresh. Client, tenant, identity and scopes of q are those of a machine
// identity: a sign-in has them in its record. refused is the fingerprint of a token that must not be
// answered again, or empty. prompt lets the process offer a sign-in when it finds that only a person can help.
func RefreshArgs(q credential.Query, refused string, prompt bool) []string {
	args := []string{RefreshCommand, q.URL}
	if q.Account != "" {
		args = append(args, "--account="+q.Account)
	}
	for _, flag := range [][2]string{{"--client-id=", q.ClientID}, {"--tenant=", q.Tenant}, {"--identity=", q.Identity}, {"--refused=", refused}} {
		if flag[1] != "" {
			args = append(args, flag[0]+flag[1])
		}
	}
	for _, s := range q.Scopes {
		args = append(args, "--scope="+s)
	}
	if prompt {
		args = append(args, "--prompt=once")
	}
	return args
}

// Renewal is one refresh to do.
type Renewal struct {
	Query   credential.Query
	Refused string            // fingerprint of a token that the server refused
	Prompt  bool              // offer a sign-in when only a person can help
	Claims  string            // of a challenge: JSON for the claims parameter
	Token   *credential.Token // gets the access token, where not nil, also where that could not be stored
}

// ClaimsArgs is what RefreshArgs has to be followed by where a challenge brought claims. They are no secret.
func ClaimsArgs(claims string) []string {
	if claims == "" {
		return nil
	}
	return []string{"--claims=" + claims}
}
