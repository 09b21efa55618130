package loopback

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/mcp-credential/mcp-credential/credential"
)

// maxForm bounds the posted form in bytes.
const maxForm = 4 << 10

// Question is what a person decides on before a sign-in that nobody at a terminal asked for: who receives what, as
// whom. Texts of servers in it are made printable here.
type Question struct {
	Host    string   // the machine at the other end of a forward that gets the token; empty: a program on this machine does
	Server  string   // the MCP server that will receive the token
	Issuer  string   // the authorization server
	Scopes  []string // empty: what the server gives by default
	Account string   // empty: chosen at the authorization server
}

// Confirm shows q on a page of ours, opened with open, and returns nil once the person has pressed its one button: the
// browser is then on its way to next; where that is empty, it shows a last page of ours. The page has an address that cannot be guessed, and the button carries a nonce,
// so that neither another site nor another user of the machine can press it. When ctx ends first, its error is
// returned; an error of open is returned as it is.
func Confirm(ctx context.Context, q Question, next string, open func(url string) error) error {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return credential.Fail(credential.Internal, "cannot open a port on 127.0.0.1 for the browser", err)
	}
	c := &confirmation{host: l.Addr().String(), path: "/" + rand.Text(), nonce: rand.Text(), question: q, next: next, pressed: make(chan struct{})}
	server := serve(c, l)
	defer shut(server)
	if err := open("http://" + c.host + c.path); err != nil {
		return err
	}
	select {
	case <-c.pressed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

type confirmation struct {
	host, path, nonce string
	question          Question
	next              string
	done              atomic.Bool
	pressed           chan struct{}
}

// ServeHTTP shows the page to GET and takes the button's POST, once.
func (c *confirmation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Host != c.host || r.URL.Path != c.path:
		writePage(w, http.StatusNotFound, notHere)
	case r.Method == http.MethodGet && !c.done.Load():
		writePage(w, http.StatusOK, c.question.page(c.nonce))
	case r.Method == http.MethodPost && c.fromOurPage(w, r) && c.done.CompareAndSwap(false, true):
		c.goOn(w, r)
		close(c.pressed)
	default:
		writePage(w, http.StatusNotFound, notHere)
	}
}

func (c *confirmation) goOn(w http.ResponseWriter, r *http.Request) {
	if c.next == "" {
		writePage(w, http.StatusOK, allowed)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, c.next, http.StatusSeeOther)
}

// fromOurPage checks the nonce, and the Origin where the browser says one. The page's Referrer-Policy makes browsers say
// "null" for it.
func (c *confirmation) fromOurPage(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin != "" && origin != "null" && origin != "http://"+c.host {
		return false
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	return subtle.ConstantTimeCompare([]byte(r.PostFormValue("nonce")), []byte(c.nonce)) == 1
}

func (q Question) page(nonce string) page {
	if q.Host != "" {
		return q.hostPage(nonce)
	}
	scopes := make([]string, 0, len(q.Scopes))
	for _, s := range q.Scopes {
		scopes = append(scopes, credential.Printable(s, 200))
	}
	if len(scopes) == 0 {
		scopes = []string{"what the server gives by default"}
	}
	account := credential.Printable(q.Account, 200)
	account = cmp.Or(account, "the account you choose next")
	return page{
		Title: "Allow access to this server?",
		Text:  "A program on this machine asks for a token for the server below. Continue only if you expected this.",
		Rows: []row{
			{"Server that receives the token", []string{credential.Printable(q.Server, 400)}},
			{"Signed in at", []string{credential.Printable(q.Issuer, 400)}},
			{"Scopes", scopes},
			{"Account", []string{account}},
		},
		Button: "Continue to sign in",
		Nonce:  nonce,
	}
}

// hostPage asks whether another machine may have tokens.
func (q Question) hostPage(nonce string) page {
	host := credential.Printable(q.Host, 200)
	return page{
		Title: "Allow another machine to use this server?",
		Text: "You are connected to the machine below, and a program there asks for access tokens for the server below. " +
			"As long as you are connected it can ask for more, and so can whoever controls that machine. Continue only if you expected this.",
		Rows: []row{
			{"Machine that receives the tokens", []string{host}},
			{"Server that they are for", []string{credential.Printable(q.Server, 400)}},
		},
		Button: "Allow " + host,
		Nonce:  nonce,
	}
}
