package helper

import (
	"cmp"
	"context"
	"errors"
	"os"
	"strconv"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/microsoft"
	"github.com/mcp-credential/mcp-credential/state"
)

// maxSecretFile bounds a client secret file in bytes.
const maxSecretFile = 64 << 10

// Login is one sign-in to a server.
type Login struct {
	URL              string
	Account          string
	Name             string
	ClientID         string
	ClientSecretFile string
	CallbackPort     int      // of this machine, that the client was registered with; 0: see Settings.Redirect
	Tenant           string   // of Entra ID, replacing the one that the server names
	Scopes           []string // besides what the server or the configuration lists, and what was approved before
	Anew             bool     // sign in again even where a live sign-in serves the server
	offered          bool     // a get offers it; nobody has typed login
}

// Outcome is what a login has brought.
type Outcome struct {
	Server  string
	Account string
	Token   credential.Token
	NewTab  bool // a person went through the identity provider
	Tier    string
}

// logins signs a person in, or serves a server from a sign-in that is there.
type logins struct{ *Helper }

// Login discovers the server's authorization server, tells the person what will be given to whom, signs in and stores
// the result. Running it is the approval of the triple (resource, issuer, scopes).
func (h *Helper) Login(ctx context.Context, l Login, who Person) (Outcome, error) {
	if err := h.Records.Writable(); err != nil {
		return Outcome{}, err
	}
	settings := h.Settings(l.URL)
	if settings.Provider != "" {
		return logins{h}.atProvider(ctx, l, settings.Provider, who)
	}
	settings.Tenant = cmp.Or(l.Tenant, settings.Tenant)
	found, err := h.Find(ctx, l.URL, settings)
	if err != nil {
		return Outcome{}, err
	}
	before, err := logins{h}.current(l, settings)
	if err != nil {
		return Outcome{}, err
	}
	if found.Unbound {
		before = logins{h}.share(l, settings, found, before)
	}
	p, t, err := logins{h}.propose(l, settings, found, before)
	if err != nil {
		return Outcome{}, err
	}
	if p.SignedIn {
		if out, done, err := (logins{h}).existing(ctx, p, found.Source, before, who); done {
			return out, err
		}
		p.SignedIn = false
	}
	if p.Offered && !p.Approved && len(p.SameApp) > 0 {
		return Outcome{}, fail(credential.NotApproved, l.URL, l.URL+" asks for tokens of the same app as "+p.SameApp[0]+"; a person has to approve that at a terminal")
	}
	kc, err := h.Keychain(ctx, settings.Store)
	if err == nil {
		err = logins{h}.checkWritable(ctx, kc) // before the person is troubled: a sign-in that cannot be kept is worthless
	}
	if err != nil {
		return Outcome{}, err
	}
	t.Secret = logins{h}.keptSecret(ctx, t, before)
	if err := who.Say(p); err != nil {
		return Outcome{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, credential.SignInTotal)
	defer cancel()
	answer, err := who.SignIn(ctx, found.Source, p, t)
	if err != nil {
		return Outcome{}, err
	}
	return logins{h}.save(ctx, kc, p, t, found, before, answer)
}

// keptSecret is the client's secret: the one that was given, else the one of the sign-in before.
func (h logins) keptSecret(ctx context.Context, t credential.Target, before resolved) credential.Secret {
	if !t.Secret.IsZero() || t.ClientID == "" || t.ClientID != before.signIn.ClientID {
		return t.Secret
	}
	g, err := h.grant(ctx, before.signIn)
	if err != nil {
		return t.Secret
	}
	return g.ClientSecret
}

// signInHelps reports whether a new sign-in can help where the old one fails with err: not when the network is down or the
// keychain cannot be used.
func signInHelps(err error) bool {
	kind := credential.KindOf(err)
	return needsSignIn(err) || kind == credential.Refused || kind == credential.Misconfigured
}

// current finds the sign-in that the server has for this account, if any. Other errors than its absence are real.
func (h logins) current(l Login, settings Settings) (resolved, error) {
	label := cmp.Or(l.Account, settings.Account)
	s, err := h.resolve(credential.Query{URL: l.URL, Account: label})
	if err != nil && credential.KindOf(err) == credential.BadHome {
		return resolved{}, err
	}
	if err != nil {
		s.signIn, s.account = state.SignIn{}, state.Account{}
	}
	s.account.Label = cmp.Or(s.account.Label, label)
	s.server.URL, s.settings = l.URL, settings
	return s, nil
}

// propose works out what to ask for, and what the person must hear about it.
func (h logins) propose(l Login, settings Settings, found Found, before resolved) (Proposal, credential.Target, error) {
	secret, err := SecretFile(cmp.Or(l.ClientSecretFile, settings.ClientSecret))
	if err != nil {
		return Proposal{}, credential.Target{}, err
	}
	scopes := found.Scopes
	if len(settings.Scopes) > 0 {
		scopes = settings.Scopes
	}
	same := before.server.Issuer == found.Endpoints.Issuer && before.server.Resource == found.Resource
	if same && !(found.Unbound && len(settings.Scopes) > 0) {
		scopes = credential.JoinScopes(before.account.Scopes, scopes)
	}
	scopes = credential.JoinScopes(scopes, l.Scopes)
	if found.IDToken {
		scopes = credential.JoinScopes([]string{"openid"}, scopes) // without it there is no ID token
	}
	client := cmp.Or(l.ClientID, settings.ClientID)
	if found.Unbound {
		scopes = microsoft.Resource(scopes)
		client = cmp.Or(client, before.signIn.ClientID, records(h).onlyClient(found.Endpoints.Issuer)) // share has seen to the issuer
		if err := h.judge(l.URL, approvedScopes(before, same), scopes, settings.File.Scopes); err != nil {
			return Proposal{}, credential.Target{}, err
		}
	}
	if client == "" && same && !before.signIn.Registered {
		client = before.signIn.ClientID
	}
	covered := same && credential.HasScopes(before.account.Scopes, scopes)
	if found.Unbound && before.account.SignIn != before.signIn.ID { // approved for another client or account
		covered = false
	}
	p := Proposal{
		Server: l.URL, Name: cmp.Or(l.Name, settings.Name, before.server.Name, found.Name, hostOf(l.URL)), Resource: found.Resource,
		Issuer: found.Endpoints.Issuer, Scopes: scopes, Account: before.account.Label, Approved: covered, Offered: l.offered, Provider: found.IDToken,
		User: before.signIn.User, ClientID: client,
		SignedIn: (covered || found.Unbound) && !l.Anew && before.signIn.ID != "" && before.signIn.Claims == "" && before.signIn.Proof == found.Bound &&
			hopeless(h.Now(), l.URL, before.signIn) == nil && (client == "" || client == before.signIn.ClientID),
	}
	if found.Unbound {
		p.SameApp = records(h).sameApp(l.URL, scopes)
	}
	t := credential.Target{
		Redirect: redirect(l, settings, before.signIn, client), Params: settings.Params, AuthMethod: settings.AuthMethod, Key: settings.Key, IDToken: found.IDToken,
		Server: l.URL, Resource: found.Resource, Scopes: scopes, Account: p.Account,
		ClientID: client, Secret: secret, Endpoints: found.Endpoints, Claims: before.signIn.Claims, Bound: found.Bound,
	}
	if covered && !l.Anew {
		t.User = before.signIn.User // who need not choose the account: what is new is seen by a person
	}
	return p, t, nil
}

// redirect is where the client's sign-ins end: with the port that was asked for, else where the configuration says, else
// where the last sign-in of this client ended; empty: on any port.
func redirect(l Login, settings Settings, before state.SignIn, client string) string {
	switch {
	case l.CallbackPort != 0:
		return credential.LocalRedirect(settings.Redirect, strconv.Itoa(l.CallbackPort))
	case settings.Redirect == "" && client != "" && client == before.ClientID:
		return before.Redirect
	}
	return settings.Redirect
}

// reuse proves that the sign-in at hand still serves: a cached token, else a refresh. No browser is opened.
func (h logins) reuse(ctx context.Context, p Proposal, s resolved) (Outcome, error) {
	q := credential.Query{URL: p.Server, Account: s.account.Label}
	t, err := h.Get(ctx, Ask{Query: q, Wait: credential.RefreshTotal, Proves: true, vouches: s.signIn.IDToken})
	return Outcome{Server: p.Server, Account: s.account.Label, Token: t, Tier: s.signIn.Tier}, err
}

// save stores a new sign-in: the keychain first, since the refresh token exists nowhere else, then the records, then
// the access token.
func (h logins) save(ctx context.Context, kc Keychain, p Proposal, t credential.Target, found Found, before resolved, answer credential.Answer) (Outcome, error) {
	ctx = context.WithoutCancel(ctx)
	defer h.HoldSignals()()
	registered := t.ClientID == ""
	bound := p.Resource
	if found.Unbound {
		bound = ""
	}
	id := credential.SignInID(p.Issuer, t.ClientID, p.Account, bound)
	if err := records(h).anotherPerson(id, p.Server, answer); err != nil {
		return Outcome{}, err
	}
	si := state.SignIn{
		ID: id, Source: found.Source, Unbound: found.Unbound, Subject: answer.Subject, Keychain: kc.Store(), Tier: kc.Tier(), PassphraseFile: h.PassphraseFile(kc.Store()), ClientID: answer.ClientID, Registered: registered,
		AuthMethod: answer.AuthMethod, Account: p.Account, User: answer.User, Resource: bound, Endpoints: t.Endpoints,
		Redirect: t.Redirect, IDToken: t.IDToken, Requested: t.Scopes, Granted: answer.Token.Scopes, NoRefresh: answer.Grant.RefreshToken.IsZero(),
		Created: h.Now(), RefreshExpires: answer.RefreshExpires, Proof: !answer.Grant.Key.IsZero(),
	}
	if !si.NoRefresh {
		si.RefreshObtained = answer.Token.Obtained
	}
	server := record(p, found.Source, before)
	account := state.Account{Label: p.Account, SignIn: id, Scopes: t.Scopes}
	err := approvals(h).storeLocked(ctx, kc, server, account, si, answer)
	return Outcome{Server: p.Server, Account: p.Account, Token: answer.Token, NewTab: true, Tier: kc.Tier()}, err
}

// SecretFile reads a client secret; none where path is empty. Errors are of kind BadInput.
func SecretFile(path string) (credential.Secret, error) {
	if path == "" {
		return credential.Secret{}, nil
	}
	info, err := os.Stat(path)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > maxSecretFile) {
		err = errors.New("it is larger than 64 KiB or not a regular file")
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(path)
	}
	secret := credential.NewSecret(strings.TrimRight(string(credential.WithoutBOM(data)), "\r\n"))
	if err == nil && secret.IsZero() {
		err = errors.New("it is empty")
	}
	if err != nil {
		return credential.Secret{}, credential.Fail(credential.BadInput, "the client secret file cannot be used", err)
	}
	return secret, nil
}

// hostOf is what a server is called when nobody has named it.
func hostOf(url string) string {
	_, host, _ := strings.Cut(credential.Origin(url), "://")
	return host
}
