package doctor

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/mcp-credential/mcp-credential/credential"
)

// Checks are all that there is to look at: for the server at url, or, where that is empty, for each one that somebody has
// signed in to or that a host reaches through us.
func Checks(m Machine, c Client, h Hosts, url string) []Check {
	urls := []string{url}
	if url == "" {
		urls = h.urls()
		servers, _ := m.Records.Servers()
		for _, s := range servers {
			urls = append(urls, s.URL)
		}
		machines, _ := m.Records.Machines()
		for _, one := range machines {
			urls = append(urls, one.Server)
		}
		slices.Sort(urls)
		urls = slices.Compact(urls)
	}
	list := m.checks(urls)
	times := &clocks{}
	clock := Check{Name: checkClock, Run: times.check}
	var servers []Check
	for _, u := range urls {
		for _, s := range accounts(m, u) {
			s.Client, s.clocks = c, times
			subject := shown(u)
			if s.account != "" {
				subject += " (" + credential.Printable(s.account, 80) + ")"
			}
			checks := s.checks(subject)
			clock.Behind = append(clock.Behind, checks[0].Title())
			servers = append(servers, checks...)
		}
	}
	return slices.Concat(list, []Check{clock}, h.checks(), servers)
}

// accounts is a server with each account that is signed in; with the usual one where nobody is.
func accounts(m Machine, u string) (out []*server) {
	record, err := m.Records.Server(u)
	if err != nil || len(record.Accounts) == 0 {
		return []*server{{Machine: m, url: u}}
	}
	for _, a := range record.Accounts {
		out = append(out, &server{Machine: m, url: u, account: a.Label})
	}
	return out
}

// proxied reports whether a server is asked through a proxy.
func proxied(u string) bool {
	req, err := http.NewRequest(http.MethodGet, u, nil)
	if err != nil {
		return false
	}
	p, err := http.ProxyFromEnvironment(req)
	return err != nil || p != nil
}

// local reports whether a server is on this machine.
func local(u string) bool {
	parsed, err := url.Parse(u)
	return err == nil && slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, parsed.Hostname())
}
