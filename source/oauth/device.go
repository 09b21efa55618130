package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/webclient"
	"github.com/mcp-credential/mcp-credential/source"
)

// The pace of polling (RFC 8628 sections 3.2 and 3.5).
const (
	pollDefault = 5 * time.Second // where the server does not say
	pollLeast   = time.Second
	pollMost    = time.Minute     // while the server cannot be reached
	pollSlower  = 5 * time.Second // added by slow_down
)

// maxUserCode bounds the code that a person types, in runes.
const maxUserCode = 64

// pending is a device authorization that waits for its person.
type pending struct {
	deviceCode string
	interval   time.Duration
	end        time.Time
}

// device signs in by the device authorization grant.
func (s *Source) device(ctx context.Context, t credential.Target, ui source.UI) (credential.Answer, error) {
	if t.Endpoints.Device == "" {
		return credential.Answer{}, credential.Fail(credential.Misconfigured, "the authorization server has no device sign-in", nil)
	}
	c, err := s.client(ctx, t, ui, "")
	if err != nil {
		return credential.Answer{}, err
	}
	form := url.Values{}
	set(form, "resource", t.Resource)
	set(form, "scope", strings.Join(wanted(t), " "))
	r, err := s.send(ctx, t.Endpoints.Device, c, form)
	if err != nil {
		return credential.Answer{}, err
	}
	p, err := s.show(ctx, r, ui)
	if err != nil {
		return credential.Answer{}, err
	}
	return s.poll(ctx, t, c, p)
}

// show judges the server's offer and puts it before the person.
func (s *Source) show(ctx context.Context, r reply, ui source.UI) (pending, error) {
	if !r.ok() {
		return pending{}, r.refusal(s.Now())
	}
	where, complete := r.text("verification_uri"), r.text("verification_uri_complete")
	if err := credential.CheckEndpoint(where, "verification_uri"); err != nil {
		return pending{}, err
	}
	if complete != "" {
		if err := credential.CheckEndpoint(complete, "verification_uri_complete"); err != nil {
			return pending{}, err
		}
	}
	p := pending{deviceCode: r.text("device_code"), interval: pollDefault, end: r.sent.Add(credential.SignInTotal)}
	userCode := credential.Printable(r.text("user_code"), maxUserCode)
	if p.deviceCode == "" || userCode == "" {
		return pending{}, credential.Fail(credential.Misconfigured, "the authorization server offered a device sign-in without a code", nil)
	}
	if life, ok := r.seconds("expires_in"); ok && life > 0 {
		p.end = r.sent.Add(life)
	}
	if every, ok := r.seconds("interval"); ok && every > 0 {
		p.interval = max(every, pollLeast)
	}
	return p, ui.ShowCode(ctx, where, complete, userCode)
}

// poll asks until the person has decided, at the server's pace. A server that cannot be reached is asked at half the
// pace (RFC 8628 section 3.5).
func (s *Source) poll(ctx context.Context, t credential.Target, c client, p pending) (credential.Answer, error) {
	var err error
	if c.proof, err = newKey(t); err != nil {
		return credential.Answer{}, err
	}
	form := newForm(deviceGrant, t)
	form.Set("device_code", p.deviceCode)
	for s.Now().Add(p.interval).Before(p.end) {
		if err := s.Sleep(ctx, p.interval); err != nil {
			return credential.Answer{}, err
		}
		r, err := ask(ctx, s, t.Endpoints.Token, c, form)
		switch {
		case err != nil && credential.KindOf(err) != credential.Network:
			return credential.Answer{}, err
		case err != nil || r.status >= 500 || r.status == http.StatusTooManyRequests:
			wanted, _ := webclient.RetryAfter(r.retryAfter, s.Now())
			p.interval = max(p.interval, min(2*p.interval, pollMost), wanted)
		case r.text("error") == "authorization_pending":
		case r.text("error") == "slow_down":
			p.interval += pollSlower
		case r.text("error") == "expired_token":
			return credential.Answer{}, expired()
		default:
			grant := credential.Grant{RefreshToken: r.refreshToken(), ClientSecret: c.secret}
			return s.accept(r, t, c, grant)
		}
	}
	return credential.Answer{}, expired()
}

func expired() error {
	return credential.Fail(credential.NoSignIn, "the code was not used in time", errors.New("the device sign-in has expired"))
}
