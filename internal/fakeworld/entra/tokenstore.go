package entra

import (
	"crypto/rand"
	"strings"
	"time"
)

// tokenStore is the memory of the tenant. World.mu guards it.
type tokenStore struct {
	apps    map[string]*app // by App ID URI
	codes   map[string]*code
	devices map[string]*device
	refresh map[string]*refreshToken
	access  map[string]*accessToken
	secrets map[string]bool
}

// app is something that tokens are for.
type app struct {
	uri    string
	scopes []string
	id     string // the client that it is, where it is one
}

// session is one sign-in of a person with a client.
type session struct {
	client, user string
	mfa          bool
	first        *app // what the sign-in was for
}

type refreshToken struct {
	session *session
	used    time.Time
	revoked bool
}

type accessToken struct {
	session *session
	app     *app
	scopes  []string
	claims  map[string]any // of the request's claims parameter
	expiry  time.Time
	serial  int
}

const graph = "https://graph.microsoft.com"

func newTokenStore(o Options) tokenStore {
	l := tokenStore{apps: map[string]*app{}, codes: map[string]*code{}, devices: map[string]*device{}, refresh: map[string]*refreshToken{},
		access: map[string]*accessToken{}, secrets: map[string]bool{}}
	l.apps[graph] = &app{uri: graph, scopes: []string{"User.Read", "Mail.Read"}}
	l.apps["api://"+Client] = &app{uri: "api://" + Client, scopes: []string{"user_impersonation"}, id: Client}
	for n := range o.Servers {
		l.apps[AppURI(n+1)] = &app{uri: AppURI(n + 1), scopes: []string{"user_impersonation", "admin"}}
	}
	return l
}

func (l *tokenStore) revoke() {
	for _, r := range l.refresh {
		r.revoked = true
	}
}

func (l *tokenStore) approveDevices() {
	for _, d := range l.devices {
		d.approved = true
	}
}

// secret makes an opaque value of at least size bytes and remembers it for Secrets.
func (l *tokenStore) secret(prefix string, size int) string {
	s := prefix + rand.Text()
	for len(s) < size {
		s += rand.Text()
	}
	s = s[:max(size, len(prefix)+26)]
	l.secrets[s] = true
	return s
}

// asked is what a scope parameter comes to.
type asked struct {
	app    *app
	scopes []string // full names, .default resolved
	echo   []string // as the response says them
}

// judgeScope reads a scope parameter the way the v2.0 endpoint does: the OpenID scopes aside, all of one app, either
// .default or names. resource must be the App ID URI byte for byte where it is given.
func (w *World) judgeScope(scope, resource string) (asked, *refusal) {
	var out asked
	var prefix string
	dot, named := false, false
	for _, s := range strings.Fields(scope) {
		if openID[s] {
			out.echo = append(out.echo, s)
			continue
		}
		p, name := graph, s
		if at := strings.LastIndex(s, "/"); at >= 0 {
			p, name = s[:at], s[at+1:]
		}
		if prefix != "" && p != prefix {
			return out, refuse(28000)
		}
		prefix = p
		a := w.tokenStore.apps[p]
		switch {
		case a == nil:
			return out, refuse(500011)
		case name == ".default":
			dot = true
		case !contains(a.scopes, name):
			return out, refuse(650053)
		default:
			named = true
			out.scopes = append(out.scopes, s)
		}
		out.app = a
	}
	if dot && named {
		return out, refuse(70011)
	}
	if out.app != nil && resource != "" && resource != prefix {
		return out, refuse(9010010)
	}
	if dot {
		for _, name := range out.app.scopes {
			out.scopes = append(out.scopes, prefix+"/"+name)
		}
	}
	out.echo = append(out.scopes, out.echo...)
	return out, nil
}

var openID = map[string]bool{"openid": true, "profile": true, "offline_access": true, "email": true}

func contains(all []string, s string) bool {
	for _, x := range all {
		if strings.EqualFold(x, s) {
			return true
		}
	}
	return false
}
