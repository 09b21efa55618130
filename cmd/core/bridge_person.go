package core

import (
	"context"
	"errors"

	"github.com/mcp-credential/mcp-credential/bridge/signin"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/helper"
	"github.com/mcp-credential/mcp-credential/internal/loopback"
)

// hostPerson is a person whom the host shows addresses to.
type hostPerson struct {
	*person
	show signin.Show
}

// Say is helper.Person: the page of ours says it.
func (s *hostPerson) Say(q helper.Proposal) error {
	s.proposal = q
	return nil
}

// SignIn is helper.Person.
func (s *hostPerson) SignIn(ctx context.Context, name string, _ helper.Proposal, t credential.Target) (credential.Answer, error) {
	src, err := sources{s.w}.source(name)
	if err != nil {
		return credential.Answer{}, err
	}
	return src.Interactive(ctx, t, s)
}

// OpenURL is source.UI: through a page of ours first where nobody has approved this server yet.
func (s *hostPerson) OpenURL(ctx context.Context, url string) error {
	open := func(url string) error {
		err := s.show(ctx, url)
		s.asked = s.asked || !errors.Is(err, signin.ErrNotShown)
		return err
	}
	if s.proposal.Approved {
		return open(url)
	}
	q := loopback.Question{Server: s.proposal.Server, Issuer: s.proposal.Issuer, Scopes: s.proposal.Scopes, Account: s.proposal.Account}
	return loopback.Confirm(ctx, q, url, open)
}

// codePerson is a person whom the host's model tells an address and a code.
type codePerson struct {
	*person
	show func(signin.Code)
}

// Say is helper.Person: it is said with the code.
func (s *codePerson) Say(q helper.Proposal) error {
	s.proposal = q
	return nil
}

// SignIn is helper.Person. A sign-in whose tokens are good at other servers too is approved at a terminal, or on a page of
// ours, where a model has no say.
func (s *codePerson) SignIn(ctx context.Context, name string, q helper.Proposal, t credential.Target) (credential.Answer, error) {
	if name != sourceOAuth && !q.Approved || name == sourceOAuth && t.Endpoints.Device == "" {
		return credential.Answer{}, signin.ErrNoCode
	}
	src, err := sources{s.w}.source(name)
	if err != nil {
		return credential.Answer{}, err
	}
	return src.Interactive(ctx, t, s)
}

// ShowCode is source.UI.
func (s *codePerson) ShowCode(_ context.Context, url, complete, code string) error {
	s.asked = true
	s.show(signin.Code{Address: url, Complete: complete, Code: code, Server: s.proposal.Server, Issuer: s.proposal.Issuer, Scopes: s.proposal.Scopes})
	return nil
}
