package core

import (
	"strings"

	"github.com/mcp-credential/mcp-credential/internal/home"
)

// unseen says after a sign-in, in one line, which settings of this shell a host may not pass on, and how to make each last; empty: none.
// Values are left out: the address of a proxy may hold a password.
func unseen(getenv func(string) string) string {
	var names, flags []string
	for _, v := range []struct {
		flag  string
		names []string
	}{
		{"--home DIR", []string{home.Variable}},
		{"--proxy URL", []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"}},
		{"--ca-file FILE", []string{"SSL_CERT_FILE", "SSL_CERT_DIR"}},
	} {
		set := false
		for _, name := range v.names {
			if getenv(name) != "" && !set {
				names, flags, set = append(names, name), append(flags, v.flag), true
			}
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "hosts may not pass on " + strings.Join(names, ", ") + " of this shell; where one starts the bridge, add " + strings.Join(flags, " ")
}
