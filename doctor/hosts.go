package doctor

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/host"
	"github.com/mcp-credential/mcp-credential/internal/home"
	"github.com/mcp-credential/mcp-credential/state"
)

// Hosts are the MCP hosts of this machine.
type Hosts struct {
	Machine
	Place    host.Place
	ReadFile func(path string) ([]byte, error)
	Exists   func(path string) bool
	URL      string // the server that doctor was asked about; empty: each
}

// entry is an entry of a host in one of its files.
type entry struct {
	host.Server
	file string
}

// read returns the entries of a host; found: it has a file.
func (h Hosts) read(one host.Host) (entries []entry, found bool, err error) {
	files := one.Files(h.Place)
	if one.Project != "" {
		files = append(files, filepath.FromSlash(one.Project))
	}
	for _, file := range files {
		text, rerr := h.ReadFile(file)
		if errors.Is(rerr, fs.ErrNotExist) {
			continue
		}
		found = true
		if rerr != nil {
			return nil, true, errors.New(h.short(file) + " cannot be read")
		}
		servers, serr := one.Syntax.Servers(text)
		if serr != nil {
			return nil, true, errors.New(h.short(file) + ": " + serr.Error())
		}
		for _, s := range servers {
			entries = append(entries, entry{s, file})
		}
	}
	return entries, found, nil
}

// checks are one for each host that has a file here.
func (h Hosts) checks() (list []Check) {
	for _, one := range host.Table {
		entries, found, err := h.read(one)
		if !found {
			continue
		}
		list = append(list, Check{Name: "host", Subject: one.Name, Behind: []string{checkPrograms}, Run: func(context.Context) Finding {
			if err != nil {
				return fail(err.Error(), "correct it, or restore a backup of it")
			}
			return h.wiring(one, entries)
		}})
	}
	return list
}

// wiring looks at the entries of one host; the first that is wrong is the finding.
func (h Hosts) wiring(one host.Host, entries []entry) Finding {
	var ours, direct []string
	for _, e := range entries {
		name := credential.Printable(e.Name, 80)
		if !e.Ours {
			if h.URL == "" || e.URL == h.URL {
				direct = append(direct, name)
			}
			continue
		}
		ours = append(ours, name)
		if f := h.entry(one, e); f.Status == Fail {
			f.Detail = h.short(e.file) + ", entry " + name + ": " + f.Detail
			return f
		}
	}
	detail := one.Title + ": " + strings.Join(ours, ", ") + " through mcp-credential"
	if len(ours) == 0 {
		detail = one.Title + ": no server through mcp-credential"
	}
	if len(direct) > 0 {
		detail += "; not " + strings.Join(direct, ", ")
		if h.URL != "" {
			return warn(detail, "mcp-credential setup "+one.Name)
		}
	}
	return ok(detail)
}

// entry looks at an entry of ours.
func (h Hosts) entry(one host.Host, e entry) Finding {
	setup := "mcp-credential setup " + one.Name
	program := e.Program
	if !strings.ContainsAny(program, `/\`) {
		path, err := h.LookPath(program)
		if err != nil {
			return fail("it starts "+program+", which is not on PATH", "name the whole path, "+h.short(h.Program)+", in its place")
		}
		program = path
	}
	if !h.Exists(program) {
		return fail("it starts "+h.short(program)+", which is not there", "have it renewed: "+setup)
	}
	if e.URL == "" {
		return fail("its arguments start no bridge", "they should be: bridge URL; mcp-credential bridge --help has the rest") // they are not shown: a header may be a secret
	}
	if e.Args == nil && state.Bound(h.Records, e.URL) {
		return fail("it starts the token command, and the tokens for this server are bound to a key (DPoP), which the bridge alone proves",
			"remove the entry, then: "+setup+" --server "+shown(e.URL))
	}
	there, err := home.Find(e.Home, func(name string) string {
		if name == home.Variable {
			return "" // of this shell, not of the host
		}
		return h.Getenv(name)
	})
	if err != nil {
		return fail(err.Error(), "name an absolute path")
	}
	if there.ID != h.Home.ID {
		return fail("it looks for sign-ins in "+h.short(there.Path)+", not in "+h.short(h.Home.Path), "add --home "+h.short(h.Home.Path)+" to its arguments, or run doctor without "+home.Variable+" and --home")
	}
	return ok("")
}

// urls are the servers that hosts reach through us.
func (h Hosts) urls() (urls []string) {
	for _, one := range host.Table {
		entries, _, _ := h.read(one)
		for _, e := range entries {
			if e.Ours && e.URL != "" && !one.Caller {
				urls = append(urls, e.URL)
			}
		}
	}
	return urls
}
