package helper

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/cache"
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

// Login discovers the server's authorization server, tells the person what will be given to whom, signs in and stores
// the result. Running it is the approval of the triple (resource, issuer, scopes).
func (h *Helper) Login(ctx context.Context, l Login, who Person) (Outcome, error) {
	if err := h.Book.Writable(); err != nil {
		return Outcome{}, err
	}
	settings := h.Settings(l.URL)
	settings.Tenant = firstOf(l.Tenant, settings.Tenant)
	found, err := h.Find(ctx, l.URL, settings)
	if err != nil {
		return Outcome{}, err
	}
	before, err := h.known(l, settings)
	if err != nil {
		return Outcome{}, err
	}
	if found.Unbound {
		before = h.sharing(l, settings, found, before)
	}
	p, t, err := h.propose(l, settings, found, before)
	if err != nil {
		return Outcome{}, err
	}
	if p.SignedIn {
		if out, done, err := h.existing(ctx, p, found.Source, before, who); done {
			return out, err
		}
		p.SignedIn = false
	}
	if p.Offered && !p.Approved && len(p.SameApp) > 0 {
		return Outcome{}, h.fail(credential.NotApproved, l.URL, l.URL+" wants tokens for the app of "+p.SameApp[0]+", which takes a person at a terminal to approve")
	}
	kc, err := h.Keychain(ctx, settings.Store)
	if err == nil {
		err = h.takes(ctx, kc) // before the person is troubled: a sign-in that cannot be kept is worthless
	}
	if err != nil {
		return Outcome{}, err
	}
	t.Secret = h.keptSecret(ctx, t, before)
	if err := who.Say(p); err != nil {
		return Outcome{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, credential.SignInTotal)
	defer cancel()
	answer, err := who.SignIn(ctx, found.Source, p, t)
	if err != nil {
		return Outcome{}, err
	}
	return h.adopt(ctx, kc, p, t, found, before, answer)
}

// keptSecret is the client's secret: the one that was given, else the one of the sign-in before.
func (h *Helper) keptSecret(ctx context.Context, t credential.Target, before subject) credential.Secret {
	if !t.Secret.IsZero() || t.ClientID == "" || t.ClientID != before.signIn.ClientID {
		return t.Secret
	}
	g, _, err := h.grant(ctx, before.signIn)
	if err != nil {
		return t.Secret
	}
	return g.ClientSecret
}

// curable reports whether a new sign-in can help where the old one fails with err: not when the network is down or the
// keychain cannot be used.
func curable(err error) bool {
	kind := credential.KindOf(err)
	return person(err) || kind == credential.Refused || kind == credential.Misconfigured
}

// known finds the sign-in that the server has for this account, if any. Other errors than its absence are real.
func (h *Helper) known(l Login, settings Settings) (subject, error) {
	label := l.Account
	if label == "" {
		label = settings.Account
	}
	s, err := h.resolve(credential.Query{URL: l.URL, Account: label})
	if err != nil && credential.KindOf(err) == credential.BadHome {
		return subject{}, err
	}
	if err != nil {
		s.signIn, s.account = state.SignIn{}, state.Account{}
	}
	if s.account.Label == "" {
		s.account.Label = label
	}
	s.server.URL, s.settings = l.URL, settings
	return s, nil
}

// propose works out what to ask for, and what the person must hear about it.
func (h *Helper) propose(l Login, settings Settings, found Found, before subject) (Proposal, credential.Target, error) {
	secret, err := secretFile(firstOf(l.ClientSecretFile, settings.ClientSecret))
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
	client := firstOf(l.ClientID, settings.ClientID)
	if found.Unbound {
		scopes = microsoft.Resource(scopes)
		client = firstOf(client, before.signIn.ClientID, h.onlyClient(found.Endpoints.Issuer)) // sharing has seen to the issuer
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
		Server: l.URL, Name: firstOf(l.Name, settings.Name, before.server.Name, found.Name, hostOf(l.URL)), Resource: found.Resource,
		Issuer: found.Endpoints.Issuer, Scopes: scopes, Account: before.account.Label, Approved: covered, Offered: l.offered,
		User: before.signIn.User, ClientID: client,
		SignedIn: (covered || found.Unbound) && !l.Anew && before.signIn.ID != "" && before.signIn.Claims == "" &&
			h.hopeless(l.URL, before.signIn) == nil && (client == "" || client == before.signIn.ClientID),
	}
	if found.Unbound {
		p.SameApp = h.sameApp(l.URL, scopes)
	}
	t := credential.Target{
		Server: l.URL, Resource: found.Resource, Scopes: scopes, Account: p.Account,
		ClientID: client, Secret: secret, Endpoints: found.Endpoints, Claims: before.signIn.Claims,
	}
	if covered && !l.Anew {
		t.User = before.signIn.User // who need not choose the account: what is new is seen by a person
	}
	return p, t, nil
}

// reuse proves that the sign-in at hand still serves: a cached token, else a refresh. No browser is opened.
func (h *Helper) reuse(ctx context.Context, p Proposal, s subject) (Outcome, error) {
	q := credential.Query{URL: p.Server, Account: s.account.Label}
	t, err := h.Get(ctx, Ask{Query: q, Wait: credential.RefreshTotal})
	return Outcome{Server: p.Server, Account: s.account.Label, Token: t, Tier: s.signIn.Tier}, err
}

// adopt stores a new sign-in: the keychain first, since the refresh token exists nowhere else, then the records, then
// the access token.
func (h *Helper) adopt(ctx context.Context, kc Keychain, p Proposal, t credential.Target, found Found, before subject, answer credential.Answer) (Outcome, error) {
	ctx = context.WithoutCancel(ctx)
	defer h.HoldSignals()()
	registered := t.ClientID == ""
	bound := p.Resource
	if found.Unbound {
		bound = ""
	}
	id := credential.SignInID(p.Issuer, t.ClientID, p.Account, bound)
	if err := h.anotherPerson(id, p.Server, answer); err != nil {
		return Outcome{}, err
	}
	si := state.SignIn{
		ID: id, Source: found.Source, Unbound: found.Unbound, Subject: answer.Subject, Keychain: kc.Store(), Tier: kc.Tier(), ClientID: answer.ClientID, Registered: registered,
		AuthMethod: answer.AuthMethod, Account: p.Account, User: answer.User, Resource: bound, Endpoints: t.Endpoints,
		Requested: t.Scopes, Granted: answer.Token.Scopes, NoRefresh: answer.Grant.RefreshToken.IsZero(),
		Created: h.Now(), RefreshExpires: answer.RefreshExpires,
	}
	if !si.NoRefresh {
		si.RefreshObtained = answer.Token.Obtained
	}
	server := record(p, found.Source, before)
	account := state.Account{Label: p.Account, SignIn: id, Scopes: t.Scopes}
	err := h.storeLocked(ctx, kc, server, account, si, answer)
	return Outcome{Server: p.Server, Account: p.Account, Token: answer.Token, NewTab: true, Tier: kc.Tier()}, err
}

// storeLocked stores a sign-in under its lock, and ends those whose place it has taken: they are found under the lock of the
// servers, so that of two sign-ins at the same time one replaces the other and neither is left behind.
func (h *Helper) storeLocked(ctx context.Context, kc Keychain, server state.Server, account state.Account, si state.SignIn, answer credential.Answer) error {
	var replaced []string
	err := h.locked(ctx, si.ID, credential.LockSignIn, func() (err error) {
		replaced, err = h.store(ctx, kc, server, account, si, answer)
		return err
	})
	for _, id := range replaced {
		h.forgetOrphan(ctx, id)
	}
	return err
}

// store writes everything a sign-in consists of, and returns the sign-ins whose place it has taken. The caller holds its lock.
func (h *Helper) store(ctx context.Context, kc Keychain, server state.Server, account state.Account, si state.SignIn, answer credential.Answer) ([]string, error) {
	g := answer.Grant
	g.DataKey = newDataKey()
	if data, err := kc.Get(ctx, si.ID); err == nil {
		if old, err := decodeGrant(data); err == nil {
			g.DataKey = old.DataKey
		}
	} else if !errors.Is(err, ErrNoItem) {
		return nil, err
	}
	if err := save(ctx, kc, si.ID, itemLabel(subject{server: server, account: account, signIn: si}), g); err != nil {
		return nil, err
	}
	_ = h.Cache.Drop(si.ID, parkedName)
	s := subject{server: server, account: account, signIn: si}
	s.tokenID = credential.TokenID(si.ID, server.URL, server.Resource, account.Scopes)
	if err := h.Book.PutSignIn(si.Expires(s.tokenID, answer.Token.Expiry)); err != nil {
		return nil, err
	}
	replaced, err := h.approve(ctx, server, account, credential.LockWait)
	if err != nil || answer.Token.Access.IsZero() {
		return replaced, err
	}
	t := answer.Token
	t.Server, t.Resource, t.Issuer, t.Account = server.URL, server.Resource, server.Issuer, accountName(account.Label, si.User)
	err = noTier(h.Cache.Keep(g.DataKey, si.ID, s.tokenID, t))
	if account.Label == "" {
		h.point(s.query(), s)
	}
	return replaced, err
}

// approve records that a person has approved this server for this account, and forgets which answers the old record led to.
// It returns the sign-ins that the server had and has no more.
func (h *Helper) approve(ctx context.Context, server state.Server, account state.Account, patience time.Duration) (replaced []string, err error) {
	err = h.locked(ctx, "servers", patience, func() error {
		now, err := h.Book.Server(server.URL)
		if err != nil && !errors.Is(err, state.ErrNone) {
			return err
		}
		server.Accounts = nil
		if now.Issuer == server.Issuer && now.Resource == server.Resource {
			server.Accounts = now.Accounts
		}
		server.Accounts = withAccount(server.Accounts, account)
		replaced = lost(now.Accounts, server.Accounts)
		server.ApprovedAt = h.Now()
		if err := h.Book.PutServer(server); err != nil {
			return err
		}
		return h.Cache.Unpoint(func(p cache.Pointer) bool { return p.URL == server.URL })
	})
	return replaced, err
}

// lost returns the sign-ins of before that no account of after has.
func lost(before, after []state.Account) []string {
	var out []string
	for _, a := range before {
		if !slices.ContainsFunc(after, func(b state.Account) bool { return b.SignIn == a.SignIn }) {
			out = append(out, a.SignIn)
		}
	}
	return out
}

// withAccount replaces the account with the same label, else adds it behind the others: the first one stays the default.
func withAccount(all []state.Account, a state.Account) []state.Account {
	all = slices.Clone(all)
	i := slices.IndexFunc(all, func(b state.Account) bool { return b.Label == a.Label })
	if i < 0 {
		return append(all, a)
	}
	all[i] = a
	return all
}

func secretFile(path string) (credential.Secret, error) {
	if path == "" {
		return credential.Secret{}, nil
	}
	info, err := os.Stat(path)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > maxSecretFile) {
		err = errors.New("it is not a file of at most 64 KiB")
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

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// hostOf is what a server is called when nobody has named it.
func hostOf(url string) string {
	_, host, _ := strings.Cut(credential.Origin(url), "://")
	return host
}
