package helper

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/microsoft"
	"github.com/mcp-credential/mcp-credential/state"
)

// This file is about unbound sign-ins: a refresh token of Entra ID is good for every app that its client may use in the
// tenant, so one sign-in serves many servers, and what a server says it needs must be judged before it is spent.

// Approval is what the user's own configuration file says about a server with an unbound source. Complete, it is the
// user's approval. No flag, variable or server adds to it.
type Approval struct {
	Issuer   string
	ClientID string
	Scopes   []string
}

func (a Approval) complete() bool { return a.Issuer != "" && a.ClientID != "" && len(a.Scopes) > 0 }

// resolveConfigured is resolve, after recording the approval that the configuration holds for a server, where a sign-in
// of that tenant and client is there to serve it.
func (h approvals) resolveConfigured(ctx context.Context, q credential.Query) (resolved, error) {
	s, err := h.resolve(q)
	settings := h.Settings(q.URL)
	file := settings.File
	if q.OriginOf || q.Below || !file.complete() || q.ClientID != "" && q.ClientID != file.ClientID || err != nil && !needsSignIn(err) {
		return s, err
	}
	if err == nil && credential.HasScopes(s.account.Scopes, file.Scopes) {
		return s, nil
	}
	si, ok := records(h).common(file.Issuer, file.ClientID, cmp.Or(q.Account, settings.Account))
	if !ok {
		return s, err
	}
	server := s.server
	if server.URL == "" || server.Issuer != file.Issuer {
		server = state.Server{URL: q.URL, Name: cmp.Or(settings.Name, hostOf(q.URL)), Resource: cmp.Or(settings.Resource, q.URL),
			Issuer: file.Issuer, Source: si.Source, ApprovedBy: approvedByConfig}
	}
	h.Trace("approval: the configuration names issuer, client and scopes")
	if err := h.approveShared(ctx, server, state.Account{Label: si.Account, SignIn: si.ID, Scopes: file.Scopes}); err != nil {
		return s, err
	}
	return h.resolve(q)
}

// approvedByConfig marks servers that nobody but the configuration has approved.
const approvedByConfig = "config"

// stillConfigured refuses a server that only the configuration had approved and no longer does.
func (h approvals) stillConfigured(s resolved) error {
	file := s.settings.File
	if s.server.ApprovedBy != approvedByConfig || file.complete() && file.Issuer == s.server.Issuer &&
		file.ClientID == s.signIn.ClientID && credential.HasScopes(file.Scopes, s.account.Scopes) {
		return nil
	}
	return fail(credential.NotApproved, s.server.URL, "the configuration no longer approves that "+s.server.URL+" receives tokens")
}

// common finds the one unbound sign-in with the issuer, with the client, where that is given, and with the label; without
// a label the one that has none, else the only one.
func (h records) common(issuer, client, label string) (state.SignIn, bool) {
	all := h.unbound(issuer, client)
	all = slices.DeleteFunc(all, func(s state.SignIn) bool { return label != "" && s.Account != label })
	if plain := slices.IndexFunc(all, func(s state.SignIn) bool { return s.Account == "" }); len(all) > 1 && plain >= 0 {
		if same := slices.ContainsFunc(all, func(s state.SignIn) bool { return s.ClientID != all[plain].ClientID }); !same {
			return all[plain], true
		}
	}
	if len(all) != 1 {
		return state.SignIn{}, false
	}
	return all[0], true
}

func (h records) unbound(issuer, client string) []state.SignIn {
	all, err := h.Records.SignIns()
	if err != nil {
		h.Warn(err.Error())
	}
	return slices.DeleteFunc(all, func(s state.SignIn) bool {
		return !s.Unbound || s.Endpoints.Issuer != issuer || client != "" && s.ClientID != client
	})
}

// onlyClient is the client that every sign-in with the issuer uses, or "".
func (h records) onlyClient(issuer string) string {
	client := ""
	for _, s := range h.unbound(issuer, "") {
		if client != "" && s.ClientID != client {
			return ""
		}
		client = s.ClientID
	}
	return client
}

// share puts the sign-in that other servers use already in the place of one of the server's own, which must be with
// the issuer that the server names now.
func (h logins) share(l Login, settings Settings, found Found, before resolved) resolved {
	issuer, client := found.Endpoints.Issuer, cmp.Or(l.ClientID, settings.ClientID)
	own := before.signIn
	if own.Unbound && own.Endpoints.Issuer == issuer && (client == "" || client == own.ClientID) {
		return before
	}
	before.signIn = state.SignIn{}
	if si, ok := records(h).common(issuer, client, before.account.Label); ok {
		before.signIn = si
		before.account.Label = si.Account
	}
	return before
}

// judge refuses scopes that a token may not be minted for at a server's word: those of Microsoft's own services, which
// everybody in a tenant has, and those of another app than the one that was approved. What the configuration file lists
// may be.
func (h logins) judge(server string, approved, scopes, file []string) error {
	for _, s := range scopes {
		switch {
		case slices.Contains(file, s):
		case microsoft.Own(s, server):
			return fail(credential.Hostile, server, server+" asks for "+credential.Printable(s, 120)+
				", a scope of a Microsoft service and not of the server; only scopes in config.toml can allow that")
		case len(approved) > 0 && !strings.EqualFold(microsoft.App(s), microsoft.App(approved[0])):
			return fail(credential.Hostile, server, server+" now asks for "+credential.Printable(s, 120)+
				", of another app than the approved "+credential.Printable(microsoft.App(approved[0]), 120)+"; if that is right, log out of it first")
		}
	}
	if len(scopes) == 0 {
		return fail(credential.Misconfigured, server, "no scope is known for "+server+"; name one, such as api://APP/.default, with --scope or as scopes in config.toml")
	}
	if !microsoft.SameApp(scopes) {
		return fail(credential.Misconfigured, server, "the scopes for "+server+" belong to more than one app; set scopes to those of one")
	}
	return nil
}

// foreign judges scopes that a caller or a challenge asks for, beyond the approved ones.
func (h logins) foreign(s resolved, lack []string) error {
	if !s.signIn.Unbound {
		return nil
	}
	return h.judge(s.server.URL, s.account.Scopes, lack, s.settings.File.Scopes)
}

// sameApp lists servers of other origins that are approved for the app of scopes: a token for that app is as good there.
func (h records) sameApp(server string, scopes []string) []string {
	all, err := h.Records.Servers()
	if err != nil {
		h.Warn(err.Error())
	}
	var out []string
	for _, s := range all {
		uses := slices.ContainsFunc(s.Accounts, func(a state.Account) bool {
			return slices.ContainsFunc(a.Scopes, func(scope string) bool {
				return len(scopes) > 0 && strings.EqualFold(microsoft.App(scope), microsoft.App(scopes[0]))
			})
		})
		if uses && credential.Origin(s.URL) != credential.Origin(server) {
			out = append(out, s.URL)
		}
	}
	return out
}

// approvedScopes are the ones that the server has been approved for; nil where it is another server now.
func approvedScopes(before resolved, same bool) []string {
	if !same || len(before.settings.File.Scopes) > 0 {
		return nil
	}
	return before.account.Scopes
}

// existing serves the server from the sign-in at hand, once that is agreed on; not done: only a new sign-in helps.
func (h logins) existing(ctx context.Context, p Proposal, source string, before resolved, who Person) (Outcome, bool, error) {
	if err := h.getApproval(ctx, p, source, before, who); err != nil {
		return Outcome{}, true, err
	}
	out, err := h.reuse(ctx, p, before)
	return out, err == nil || !signInHelps(err), err
}

// getApproval gets and records the approval of a server that an existing sign-in can serve: a person's yes, unless the
// configuration has said it.
func (h logins) getApproval(ctx context.Context, p Proposal, source string, before resolved, who Person) error {
	if err := who.Say(p); err != nil {
		return err
	}
	if p.Approved {
		return nil
	}
	file := before.settings.File
	byConfig := file.complete() && file.Issuer == p.Issuer && file.ClientID == p.ClientID && credential.HasScopes(file.Scopes, p.Scopes)
	if !byConfig {
		if err := who.Approve(p); err != nil {
			return err
		}
	}
	server := record(p, source, before)
	if byConfig {
		server.ApprovedBy = approvedByConfig
	}
	return approvals(h).approveShared(ctx, server, state.Account{Label: p.Account, SignIn: before.signIn.ID, Scopes: p.Scopes})
}

// record is what is remembered of a server that a person has approved.
func record(p Proposal, source string, before resolved) state.Server {
	server := before.server
	server.Name, server.Resource, server.Issuer, server.Source = p.Name, p.Resource, p.Issuer, source
	server.ApprovedBy = "login"
	if p.Offered {
		server.ApprovedBy = "browser"
	}
	return server
}

// anotherPerson refuses to put one person's refresh token where other servers are approved for another's.
func (h records) anotherPerson(id, server string, answer credential.Answer) error {
	old, err := h.Records.SignIn(id)
	if err != nil || old.Subject == "" || answer.Subject == "" || old.Subject == answer.Subject {
		return nil
	}
	users, err := h.Records.Serves(id)
	others := slices.DeleteFunc(users, func(s state.Server) bool { return s.URL == server })
	if err != nil || len(others) == 0 {
		return err
	}
	return fail(credential.BadInput, server, credential.Printable(answer.User, 100)+" has signed in, but this sign-in serves "+others[0].URL+
		" as "+credential.Printable(old.User, 100)+"; give the other account a label with --account")
}

// granted is what a token has whose response did not say.
func (s resolved) granted() []string {
	if s.signIn.Unbound {
		return s.account.Scopes
	}
	return s.signIn.Granted
}
