package loopback

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/wait"
)

// ours marks every answer of a sign-in's pages, so that another sign-in that needs the same port can tell who has it.
const ours = "Mcp-Credential-Sign-In"

// The pause between two looks at a port that somebody has, how long one look may take, and how many may find nobody there.
const (
	portPause  = 250 * time.Millisecond
	portLook   = time.Second
	portSilent = 8
)

// holder is who answers at a port.
type holder int

const (
	nobody  holder = iota
	signIn         // another sign-in of this program
	foreign        // another program
)

// ListenAt is Listen at the address of a client that was registered with it, byte by byte (see credential.CheckRedirect).
// Where the name is localhost it listens on both loopback addresses of the machine. While another sign-in of this program,
// of any process, has the port, it calls busy once and waits for its turn until ctx ends; a port that another program has
// is an error of kind Misconfigured that says how to find it. form is for answers that come as a form post.
func ListenAt(ctx context.Context, state, uri string, form bool, busy func()) (*Redirect, error) {
	if err := credential.CheckRedirect(uri); err != nil {
		return nil, err
	}
	u, _ := url.Parse(uri)
	hosts := []string{u.Hostname()}
	if hosts[0] == "localhost" {
		hosts = []string{"127.0.0.1", "::1"}
	}
	said, silent := false, 0
	for {
		listeners, err := listenAll(hosts, u.Port())
		if err == nil {
			return newRedirect(state, uri, form, listeners...), nil
		}
		if !inUse(err) {
			return nil, credential.Fail(credential.Misconfigured, "cannot wait for the browser at "+uri, err)
		}
		switch whose := answers(ctx, hosts, u.Port()); {
		case whose == foreign || silent == portSilent:
			return nil, credential.Fail(credential.Misconfigured, "another program has the port of "+uri+
				", where this client's sign-ins end; to see which: "+whoHas(runtime.GOOS, u.Port()), nil)
		case whose == nobody: // a sign-in that has just ended, or what does not speak HTTP
			silent++
		case !said:
			busy()
			said = true
		}
		if err := wait.Sleep(ctx, portPause); err != nil {
			return nil, err
		}
	}
}

// listenAll listens on every host that this machine has, and on none where one of them is taken.
func listenAll(hosts []string, port string) ([]net.Listener, error) {
	var out []net.Listener
	var failed error
	for _, host := range hosts {
		l, err := net.Listen("tcp", net.JoinHostPort(host, port))
		if err == nil {
			out = append(out, l)
		} else if failed == nil || inUse(err) {
			failed = err // a machine without IPv6 has no ::1
		}
	}
	if failed != nil && (len(out) == 0 || inUse(failed)) {
		for _, l := range out {
			_ = l.Close()
		}
		return nil, failed
	}
	return out, nil
}

// answers asks at every host who has the port.
func answers(ctx context.Context, hosts []string, port string) holder {
	ctx, cancel := context.WithTimeout(ctx, portLook)
	defer cancel()
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	found := nobody
	for _, host := range hosts {
		req, err := http.NewRequestWithContext(ctx, http.MethodHead, "http://"+net.JoinHostPort(host, port)+"/", nil)
		if err != nil {
			return foreign
		}
		resp, err := client.Do(req)
		if err != nil {
			continue
		}
		resp.Body.Close()
		if resp.Header.Get(ours) == "" {
			return foreign
		}
		found = signIn
	}
	return found
}

// whoHas is the command that names the program that listens on a port.
func whoHas(goos, port string) string {
	switch goos {
	case "windows":
		return "Get-Process -Id (Get-NetTCPConnection -State Listen -LocalPort " + port + ").OwningProcess"
	case "linux":
		return "ss -ltnp sport = :" + port
	}
	return "lsof -nP -iTCP:" + port + " -sTCP:LISTEN"
}
