package core

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/mcp-credential/mcp-credential/cmd/call"
	"github.com/mcp-credential/mcp-credential/config"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/host"
	"github.com/mcp-credential/mcp-credential/host/change"
	"github.com/mcp-credential/mcp-credential/internal/home"
	"github.com/mcp-credential/mcp-credential/state"
)

// plan is a file and its new text.
type plan struct {
	host   string // what the file belongs to
	file   change.File
	text   []byte
	edits  []host.Edit
	hidden []string // values that are not shown
}

// plan finds what there is to change. What stands in the way of one file is an error where the file was named, else said.
func (c setupCmd) plan(w *wiring, p host.Place, hosts []host.Host) ([]plan, error) {
	var plans []plan
	var settings []host.Server
	found := false
	for _, h := range hosts {
		for _, path := range c.files(p, h) {
			f, err := change.Read(path)
			if err == nil && !f.Existed && !c.wanted(h) {
				continue
			}
			found = true
			var one plan
			var servers []host.Server
			if err == nil {
				one, servers, err = c.planFile(w, p, h, f)
			}
			if err != nil {
				err = credential.Fail(credential.BadInput, path+" ("+h.Title+") cannot be used: "+err.Error(), nil)
				if len(c.Hosts) > 0 {
					return nil, err
				}
				call.Say(w.streams.err, err.Error())
				continue
			}
			if len(one.edits) > 0 {
				plans = append(plans, one)
				settings = append(settings, servers...)
			}
		}
	}
	if !c.Project { // what a project's file says is not this user's word
		if one, err := c.planSettings(w, settings); err != nil || len(one.edits) > 0 {
			if err != nil {
				return nil, err
			}
			plans = append(plans, one)
		}
	}
	switch {
	case !found:
		call.Say(w.streams.err, "no host is here; name one ("+hostNames()+") with --server URL")
	case len(plans) == 0:
		call.Say(w.streams.err, "nothing to change: no host has a remote server that does not go through mcp-credential")
	}
	return plans, nil
}

// files are those of a host that setup looks at.
func (c setupCmd) files(p host.Place, h host.Host) []string {
	if !c.Project {
		all := h.Files(p)
		there := slices.DeleteFunc(slices.Clone(all), func(path string) bool {
			_, err := os.Stat(path)
			return errors.Is(err, fs.ErrNotExist)
		})
		if len(there) == 0 {
			return all[:1]
		}
		return there
	}
	if h.Project == "" {
		return nil
	}
	full, err := filepath.Abs(filepath.FromSlash(h.Project))
	if err != nil {
		return nil
	}
	return []string{full}
}

// wanted reports whether a host gets a file that it has not got: where a server is to be added, and it was named or is installed.
func (c setupCmd) wanted(h host.Host) bool {
	if c.Server == "" || c.Project && len(c.Hosts) == 0 {
		return false
	}
	return len(c.Hosts) > 0 || slices.ContainsFunc(h.Programs, func(name string) bool {
		_, err := exec.LookPath(name)
		return err == nil
	})
}

// planFile plans one file, and returns the servers whose settings go to our own configuration.
func (c setupCmd) planFile(w *wiring, p host.Place, h host.Host, f change.File) (plan, []host.Server, error) {
	one := plan{host: h.Title, file: f}
	servers, err := h.Syntax.Servers(f.Text)
	if err != nil {
		return one, nil, err
	}
	servers, err = c.added(h, servers)
	if err != nil {
		return one, nil, err
	}
	entry := func(s host.Server) host.Entry {
		if s.Ours { // what a person has added to it stays
			return host.Entry{Program: p.Program, Token: s.Args == nil, Flags: s.FlagsAfterURL()}
		}
		return host.Entry{Program: p.Program, Token: c.TokenCommand && h.Token && !state.Bound(w.helper.Records, s.URL), Flags: c.bridgeFlags(w, s)}
	}
	servers = slices.DeleteFunc(servers, func(s host.Server) bool { return s.Ours && !moved(s) })
	for _, s := range servers {
		c.explain(w, h, s)
		for name, value := range s.Headers {
			if host.Secret(name) && value != "" {
				one.hidden = append(one.hidden, value)
			}
		}
	}
	one.text, one.edits, err = host.Apply(h.Syntax, f.Text, servers, entry)
	return one, servers, err
}

// moved reports whether an entry of ours starts a program that is no longer there, so that it has to be renewed.
func moved(s host.Server) bool {
	if s.URL == "" || !filepath.IsAbs(s.Program) {
		return false
	}
	_, err := os.Stat(s.Program)
	return errors.Is(err, fs.ErrNotExist)
}

// added is the servers of a file with the one of --server.
func (c setupCmd) added(h host.Host, servers []host.Server) ([]host.Server, error) {
	if c.Server == "" {
		return servers, nil
	}
	url, err := credential.ParseServerURL(credential.WithScheme(c.Server))
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(servers, func(s host.Server) bool { return s.URL == url }) {
		return servers, nil
	}
	_, place, _ := strings.Cut(credential.Origin(url), "://")
	name := cmp.Or(c.Name, strings.Trim(notName().ReplaceAllString(place, "-"), "-"))
	if slices.ContainsFunc(servers, func(s host.Server) bool { return s.Name == name }) {
		return nil, fmt.Errorf("there is a server called %s already; give another --name", name)
	}
	return append(servers, host.Server{Name: name, URL: url}), nil
}

// notName is what names of entries do without, as all hosts take the rest.
var notName = lazily(`[^A-Za-z0-9_-]+`)

// bridgeFlags are what the bridge of a server needs besides its URL: another home, and headers that the configuration does not hold.
func (c setupCmd) bridgeFlags(w *wiring, s host.Server) (flags []string) {
	if c.Home != "" || osGetenv(home.Variable) != "" {
		flags = append(flags, "--home", w.dir.Path)
	}
	if !c.configures(w, s) {
		for name, value := range plainHeaders(s) {
			flags = append(flags, "--header", name+": "+value)
		}
	}
	return flags
}

// configures reports whether what an entry says of its server goes to our configuration: not what a project's file says, which is
// not this user's word, and nothing where the configuration speaks of the server already.
func (c setupCmd) configures(w *wiring, s host.Server) bool {
	_, known := w.config.Servers[s.URL]
	return !c.Project && !known
}

// plainHeaders are the headers of an entry that are no secret, by name.
func plainHeaders(s host.Server) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for _, name := range s.HeaderNames() {
			if !host.Secret(name) && !yield(name, s.Headers[name]) {
				return
			}
		}
	}
}

// explain says what of an old entry the new one does not have.
func (c setupCmd) explain(w *wiring, h host.Host, s host.Server) {
	about := func(text string) { call.Say(w.streams.err, h.Title+", "+credential.Printable(s.Name, 80)+": "+text) }
	for _, name := range s.HeaderNames() {
		if host.Secret(name) {
			about("the header " + credential.Printable(name, 80) + " is not copied; a sign-in takes its place, or the bridge's --header @FILE")
		}
	}
	if c.TokenCommand && h.Token && state.Bound(w.helper.Records, s.URL) {
		about("the bridge in place of the token command: the server's tokens are bound to a key (DPoP)")
	}
	if s.Redirect != "" && credential.CheckRedirect(s.Redirect) != nil {
		about("the redirect_uri " + credential.Printable(s.Redirect, 200) + " is not copied: it is not http://localhost:PORT/PATH")
	}
	if s.MetadataURL != "" && credential.CheckEndpoint(s.MetadataURL, "metadata_url") != nil {
		about("the address of the metadata, " + credential.Printable(s.MetadataURL, 200) + ", is not copied: it is not https")
	}
}

// planSettings plans our own configuration, with the OAuth settings of servers.
func (c setupCmd) planSettings(w *wiring, servers []host.Server) (plan, error) {
	path := w.dir.File(config.FileName)
	f, err := change.Read(path)
	if err != nil {
		return plan{}, credential.Fail(credential.BadInput, "cannot read "+path, err)
	}
	one := plan{host: "mcp-credential", file: f, text: f.Text}
	seen := map[string]map[string]string{} // headers by server
	for _, s := range servers {
		entry := config.Server{ClientID: s.ClientID, Scopes: s.Scopes, Headers: maps.Collect(plainHeaders(s))}
		if credential.CheckRedirect(s.Redirect) == nil {
			entry.RedirectURI = s.Redirect
		}
		if credential.CheckEndpoint(s.MetadataURL, "metadata_url") == nil {
			entry.MetadataURL = s.MetadataURL
		}
		if entry.ClientID == "" && len(entry.Scopes) == 0 && entry.RedirectURI == "" && entry.MetadataURL == "" && len(entry.Headers) == 0 {
			continue
		}
		if before, twice := seen[s.URL]; twice && !maps.Equal(before, entry.Headers) {
			call.Say(w.streams.err, credential.Printable(s.Name, 80)+": another entry for "+s.URL+" has other headers; those of the first go to config.toml")
		}
		seen[s.URL] = entry.Headers
		next, added, err := config.Add(one.text, s.URL, entry)
		if err != nil {
			return one, credential.Fail(credential.BadInput, path, err)
		}
		if added {
			one.edits = append(one.edits, host.Edit{Offset: len(f.Text), New: string(next[len(one.text):])})
			one.text = next
		}
	}
	return one, nil
}

// A line of a configuration with a secret in it, by the name that stands before its value, and a token by the word before it.
// Everything that follows on the line is left out: it may be the whole file.
var (
	secretLine = lazily(`(?im)^(.*?(?:auth|key|token|secret|passw|passphrase|cookie)[^\s:=]*\s*[:=]\s*).+$`)
	bearer     = lazily(`(?im)(bearer\s+).+$`)
)

// masked is a text without what looks like a secret.
func masked(text []byte) []byte {
	return bearer().ReplaceAll(secretLine().ReplaceAll(text, []byte("${1}***")), []byte("${1}***"))
}

// shown is the difference that a plan makes, without secrets.
func (p plan) shown() []byte {
	name := credential.Printable(p.file.Path, 1000)
	old, next := p.file.Text, p.text
	for _, value := range p.hidden {
		old = bytes.ReplaceAll(old, []byte(value), []byte("***"))
	}
	out := diff.Diff(name, old, name+" (new)", next)
	return masked(bytes.ReplaceAll(out, []byte("\r"), nil))
}

// lazily is a pattern that is compiled when it is first used: the core starts without it.
func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}
