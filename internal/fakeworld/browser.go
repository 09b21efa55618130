package fakeworld

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/webclient"
)

// Page is where a browser ended up.
type Page struct {
	URL    string
	Status int
	Body   string
}

// maxPresses bounds how many buttons Visit presses in a row.
const maxPresses = 5

// Visit does what a person who agrees to everything does with a browser: it opens the URL, follows redirects, keeps
// cookies, and presses the button of the first POST form that is on a page of this machine or leads to it, until there
// is no more form. Proxies and certificates are those of the environment. A page with an error status is no error of
// Visit.
func Visit(ctx context.Context, rawURL string) (Page, error) {
	network, err := webclient.New(webclient.Options{})
	if err != nil {
		return Page{}, err
	}
	defer network.CloseIdleConnections()
	return VisitWith(ctx, &http.Client{Transport: network.Transport}, rawURL)
}

// VisitWith is Visit over the network of client, which it gives a place for cookies.
func VisitWith(ctx context.Context, client *http.Client, rawURL string) (Page, error) {
	var err error
	if client.Jar, err = cookiejar.New(nil); err != nil {
		return Page{}, err
	}
	p, err := open(ctx, client, http.MethodGet, rawURL, nil)
	for range maxPresses {
		action, fields, found := findForm(p)
		if err != nil || !found {
			return p, err
		}
		p, err = open(ctx, client, http.MethodPost, action, fields)
	}
	return p, errors.Join(err, errors.New("the pages never end"))
}

func open(ctx context.Context, client *http.Client, method, rawURL string, fields url.Values) (Page, error) {
	req, err := http.NewRequestWithContext(ctx, method, rawURL, strings.NewReader(fields.Encode()))
	if err != nil {
		return Page{}, err
	}
	req.Header.Set("Accept", "text/html")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", req.URL.Scheme+"://"+req.URL.Host)
	}
	resp, err := client.Do(req)
	if err != nil {
		return Page{}, fmt.Errorf("open the page: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return Page{URL: resp.Request.URL.String(), Status: resp.StatusCode, Body: string(body)}, err
}

var (
	formPattern  = regexp.MustCompile(`(?is)<form\b([^>]*)>(.*?)</form>`)
	inputPattern = regexp.MustCompile(`(?is)<(?:input|button)\b[^>]*>`)
	attrPattern  = regexp.MustCompile(`(?is)\b([a-z-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))`)
)

// findForm finds the first POST form with an end on this machine, the absolute URL it posts to, and its fields. It reads
// the HTML that servers under test write, not that of the world.
func findForm(p Page) (action string, fields url.Values, found bool) {
	base, err := url.Parse(p.URL)
	if err != nil {
		return "", nil, false
	}
	for _, form := range formPattern.FindAllStringSubmatch(p.Body, -1) {
		a := attributes(form[1])
		target, err := base.Parse(a["action"])
		if err != nil || !strings.EqualFold(a["method"], "post") || !credential.Loopback(base.Hostname()) && !credential.Loopback(target.Hostname()) {
			continue
		}
		return target.String(), fieldsOf(form[2]), true
	}
	return "", nil, false
}

// fieldsOf are the inputs of a form and, of its buttons, the first: that is the one that is pressed.
func fieldsOf(form string) url.Values {
	fields, pressed := url.Values{}, false
	for _, tag := range inputPattern.FindAllString(form, -1) {
		in := attributes(tag)
		button := in["type"] == "submit" || strings.HasPrefix(strings.ToLower(tag), "<button")
		if in["name"] != "" && !(button && pressed) {
			fields.Add(in["name"], in["value"])
		}
		pressed = pressed || button
	}
	return fields
}

func attributes(tag string) map[string]string {
	out := map[string]string{}
	for _, m := range attrPattern.FindAllStringSubmatch(tag, -1) {
		out[strings.ToLower(m[1])] = html.UnescapeString(m[2] + m[3] + m[4])
	}
	return out
}
