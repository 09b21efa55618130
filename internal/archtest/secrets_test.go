package archtest

import (
	"go/ast"
	"testing"
)

// revealers are the files that call credential.Secret.Reveal, and why.
var revealers = map[string]string{
	"cache/protectedkey.go":         "a data key goes into a file that DPAPI closes",
	"cache/keychain/file.go":        "the passphrase goes to the library that encrypts the file",
	"cache/seal.go":                 "an access token goes into its sealed file, under the data key",
	"cache/store.go":                "the data key goes to the place for hot keys",
	"credential/secret.go":          "comparison and fingerprint",
	"doctor/claims.go":              "the claims of a token are shown, without who the person is and without the signature",
	"forward/answer.go":             "an access token goes to the machine that a person has approved",
	"internal/dpop/dpop.go":         "the token goes into the Authorization header for its server, and a hash of it into a proof that its key signs",
	"helper/grant.go":               "the grant goes into its keychain item",
	"protocol/protocol.go":          "the access token is checked before it is written",
	"protocol/request.go":           "a token of the caller is checked",
	"source/entra/msalcache.go":     "the refresh token goes into the memory that MSAL reads it from",
	"source/entra/machine.go":       "client secret, assertion and what a data key is derived from",
	"source/entra/machine_files.go": "the password opens the PFX",
	"source/oauth/machine.go":       "a data key is derived from the client secret",
	"source/oauth/client.go":        "client authentication",
	"source/oauth/managed.go":       "the ID token goes to its provider, and the assertion to the issuer that the configuration names",
	"source/oauth/federated.go":     "the assertion goes to the issuer that the configuration names",
	"source/workload/workload.go":   "the job's bearer goes to the service that the CI system names",
	"source/oauth/oauth.go":         "the refresh token goes to the server that gave it",
	"source/oauth/send.go":          "client authentication",
}

func TestSecretsAreRevealedInFewPlaces(t *testing.T) {
	found := map[string]bool{}
	for _, f := range sources(t, false) {
		if f.dir == "internal/fakeworld" {
			continue // the secrets of the tests' own world
		}
		ast.Inspect(f.File, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Reveal" {
				if found[f.path] = true; revealers[f.path] == "" {
					t.Errorf("%s reveals a secret", at(n))
				}
			}
			return true
		})
	}
	for path := range revealers {
		if !found[path] {
			t.Errorf("%s reveals nothing any more: delete its row", path)
		}
	}
}
