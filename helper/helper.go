// Package helper decides what happens to a question for an access token:
//
//  1. Which sign-in or machine identity is meant? resolve.go, machine.go
//  2. Does a cached token serve, and who refreshes it? Warm.Get in warm.go (the front), Helper.Get in get.go
//  3. How is a refresh token spent and its successor kept? Helper.Refresh in refresh.go, grant.go
//  4. When is a person asked, and by which process? offers.offer in offer.go, offerlimit.go
//  5. What may a server have, and who has said so? Helper.Login in login.go, approval.go, unbound.go
//
// It holds no wire format, no network, no keychain and no terminal: what it needs of those comes in through the small
// interfaces in this file. The front program links this package for Warm; everything else runs in the core.
package helper

import (
	"context"
	"sync"
	"time"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/home"
	"github.com/mcp-credential/mcp-credential/state"
)

// Keychain keeps the secret half of sign-ins. Set is durable and atomic. Errors are credential.ErrNoItem or of the Keychain
// kinds.
type Keychain interface {
	Get(ctx context.Context, id string) ([]byte, error)
	Set(ctx context.Context, id, label string, value []byte) error
	Delete(ctx context.Context, id string) error
	Tier() string  // for people
	Store() string // machine name of the choice
}

// Refresher is the silent half of a token source (see source.Source for the contract).
type Refresher interface {
	Silent(ctx context.Context, t credential.Target, g credential.Grant, authMethod string,
		keep func(credential.Grant) error) (credential.Answer, error)
	Revoke(ctx context.Context, t credential.Target, g credential.Grant, authMethod string) error
}

// Person is somebody who can be told what a sign-in will give away, and can sign in.
type Person interface {
	// Say tells which server will receive which scopes as which account, before anything is redeemed. An error stops
	// the sign-in.
	Say(p Proposal) error
	// Approve asks for a yes to what Say has told, where no sign-in will follow. An error of kind NotApproved stops it.
	Approve(p Proposal) error
	// SignIn runs the interactive half of the named token source.
	SignIn(ctx context.Context, source string, p Proposal, t credential.Target) (credential.Answer, error)
	// Asked reports whether the person was shown anything to act on: a browser, an address or a code.
	Asked() bool
}

// Proposal is what a person approves.
type Proposal struct {
	Server   string
	Name     string
	Resource string
	Issuer   string
	Scopes   []string
	Account  string
	User     string   // what the identity provider calls the person of the sign-in that serves it
	ClientID string   // empty: one will be registered
	SameApp  []string // servers elsewhere that are approved for the same app, whose tokens this server could use there
	Provider bool     // it is an identity provider, which vouches for the person at the servers that the configuration names
	Approved bool     // the same triple of resource, issuer and scopes has been approved before
	Offered  bool     // a get offers the sign-in; nobody has typed login
	SignedIn bool     // a sign-in that serves it is there already: no browser is needed
}

// Found is what discovery says about a server.
type Found struct {
	Resource  string
	Name      string
	Scopes    []string
	Source    string
	Endpoints credential.Endpoints
	IDToken   bool // it is an identity provider, which vouches for the person at other servers
	Unbound   bool // the source's refresh tokens serve every server of the issuer and client (Entra ID)
	Bound     bool // the server wants tokens that are bound to a key: see credential.Target
}

// Settings is what the configuration says about one server; the zero value is no configuration.
type Settings struct {
	Name         string
	ClientID     string
	ClientSecret string // path of a file
	Redirect     string // redirect_uri of the client; see credential.Target
	Params       map[string]string
	AuthMethod   string
	Key          credential.ClientKey
	Provider     string // server URL of the identity provider whose sign-in serves this server; empty: it has its own
	Scopes       []string
	Account      string
	Issuer       string
	Resource     string
	Store        string
	Notify       bool
	Tenant       string   // of Entra ID, where the user named it
	File         Approval // what the configuration file says, without flags
}

// Helper decides. Every field is set before use, except where a nil is explained.
type Helper struct {
	Dir      home.Dir
	Cache    *cache.Store
	Records  state.Records
	Settings func(serverURL string) Settings
	// Config is the stamp of the configuration that Settings speak for, taken before it was read. Pointers carry it: one that
	// was resolved from an older configuration must not look like one of the present.
	Config func() (size, mtime int64)

	Keychain func(ctx context.Context, store string) (Keychain, error) // store "" is the configured or preferred one
	Source   func(name string) (Refresher, error)
	// Machine finds the machine identity that a question may use; nil without an error: there is none. named: a flag or
	// the configuration asks for it, so that an error is final. A nil Machine finds none.
	// With onlyNamed no other one is looked for, which costs every caller the reading of certificates.
	Machine func(q credential.Query, onlyNamed bool) (m Machine, named bool, err error)
	// Forward is the machine at the other end of a forward that a question can go to; live: there is such a forward now. A nil Forward
	// means that there never is one.
	Forward      func(q credential.Query) (m Forwarder, live bool)
	Silent       bool // nobody is asked at the other end of a forward
	KeychainKeys bool // the keychain holds the data keys of machine identities: it never asks (macOS)

	Find   func(ctx context.Context, serverURL string, s Settings) (Found, error)
	Issuer func(ctx context.Context, serverURL, issuer string) (credential.Endpoints, error)

	// PassphraseFile is the file that opens a store here; empty: it needs none. Sign-ins remember it for callers with less of an
	// environment.
	PassphraseFile func(store string) string

	Launch    func(args ...string) error // starts a detached core process with these arguments
	Attended  func(store string) bool    // this keychain opens with what a person types at this terminal: no other process can
	Reachable func() bool                // a person can be shown a browser from here
	Person    func() Person              // who a sign-in that get offers talks to

	// HoldSignals keeps signals from ending this process until release is called: what it spends must be stored.
	HoldSignals func() (release func())

	Now   func() time.Time
	Trace func(string) // one decision, for --verbose
	Warn  func(string) // one sentence for people; the answer stands all the same

	uncached sync.Map // tokens of machine identities that no tier keeps, by state.Machine.ID; the zero value is right
}

// resolved is what a query means: which server, which sign-in, which token.
type resolved struct {
	server   state.Server
	account  state.Account
	signIn   state.SignIn
	settings Settings
	tokenID  string
	dataKey  *credential.Secret // once the keychain was asked for it
	claims   string             // of a challenge
}

// target says what to ask the source for.
func (s resolved) target() credential.Target {
	return credential.Target{
		Server: s.server.URL, Resource: s.server.Resource, Scopes: s.account.Scopes, Account: s.account.Label,
		ClientID: s.signIn.ClientID, Key: s.settings.Key, IDToken: s.signIn.IDToken, Endpoints: s.signIn.Endpoints, Claims: s.claims, User: s.signIn.User, Subject: s.signIn.Subject,
	}
}

// query asks for the same account of the same server again, for processes that are started on its behalf.
func (s resolved) query() credential.Query {
	return credential.Query{URL: s.server.URL, Account: s.account.Label}
}
