package doctor

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/helper"
	"github.com/mcp-credential/mcp-credential/internal/home"
	"github.com/mcp-credential/mcp-credential/state"
)

// The checks that others wait for.
const (
	checkPrograms     = "programs"
	checkHome         = "home"
	checkConfig       = "config"
	checkKeychain     = "keychain"
	checkHotKey       = "hot key"
	checkLocks        = "locks"
	checkProxy        = "proxy"
	checkCertificates = "certificates"
	checkClock        = "clock"
)

// Machine is what the checks look at. Every field is set.
type Machine struct {
	Version string // of this program
	Program string // the program that hosts start
	// VersionOf asks a program for its version.
	VersionOf func(ctx context.Context, program string) (string, error)
	LookPath  func(name string) (string, error)
	Getenv    func(string) string
	User      string // the user's home, which is written as ~

	Home     home.Dir
	Config   func() error // why the configuration cannot be used
	Records  state.Records
	Keys     cache.Keys
	Keychain func(ctx context.Context, store string) (helper.Keychain, error)
	HTTP     func() (*http.Client, error)

	// Hint says what to do about an error.
	Hint func(err error) string
	Now  func() time.Time
}

// checks are those of the machine itself. urls are the servers that are going to be asked.
func (m Machine) checks(urls []string) []Check {
	list := []Check{
		{Name: checkPrograms, Run: m.programs},
		{Name: checkHome, Run: m.home},
		{Name: checkConfig, After: []string{checkHome}, Run: m.config},
		{Name: checkKeychain, After: []string{checkHome, checkConfig}, Run: m.keychain},
		{Name: checkHotKey, After: []string{checkHome}, Run: m.hotKey},
		{Name: checkLocks, After: []string{checkHome}, Run: m.locks},
		{Name: checkCertificates, Run: m.certificates},
		{Name: checkProxy, Run: func(ctx context.Context) Finding { return m.proxy(ctx, urls) }},
	}
	return list
}

// about is an error as a failing line.
func (m Machine) about(err error) Finding { return fail(m.short(err.Error()), m.Hint(err)) }

// short abbreviates the user's home in a text, whose name may be a person's.
func (m Machine) short(text string) string {
	if len(m.User) < 2 {
		return text
	}
	return strings.ReplaceAll(text, m.User+string(filepath.Separator), "~"+string(filepath.Separator))
}

func (m Machine) programs(ctx context.Context) Finding {
	build := m.Version + ", " + runtime.GOOS + "/" + runtime.GOARCH
	theirs, err := m.VersionOf(ctx, m.Program)
	if err != nil {
		return fail(m.short(m.Program)+" does not run: "+err.Error(), "install mcp-credential and mcp-credential-core into one folder")
	}
	if theirs != m.Version {
		return fail(fmt.Sprintf("%s is version %s, and starts a core of version %s", m.short(m.Program), theirs, m.Version), "install both programs again, into one folder")
	}
	onPath, err := m.LookPath("mcp-credential")
	if err != nil {
		return warn(build+" in "+m.short(filepath.Dir(m.Program))+"; it is not on PATH", "add that folder to PATH for shells and scripts; setup writes the whole path for hosts")
	}
	if real, err := filepath.EvalSymlinks(onPath); err != nil || real != m.Program {
		return m.otherOnPath(ctx, build, onPath)
	}
	return ok(build + "; on PATH in " + m.short(filepath.Dir(onPath)))
}

func (m Machine) otherOnPath(ctx context.Context, build, onPath string) Finding {
	version, err := m.VersionOf(ctx, onPath)
	if err == nil && version == m.Version {
		return ok(build + "; PATH has a copy of the same version, " + m.short(onPath))
	}
	return warn(build+"; PATH has "+m.short(onPath)+", version "+cmp.Or(version, "unknown"), "remove one of the two, or put "+m.short(filepath.Dir(m.Program))+" first on PATH")
}

func (m Machine) home(context.Context) Finding {
	path := m.short(m.Home.Path)
	switch err := m.Home.Check(); {
	case errors.Is(err, fs.ErrNotExist):
		return ok(path + " is not there yet; the first sign-in makes it")
	case err != nil:
		return m.about(err)
	}
	if err := m.Records.Writable(); err != nil {
		return fail(path+" cannot be written to: "+m.short(err.Error()), "free some space, or make it writable")
	}
	if open := exposed(m.Home.Path); open != "" {
		return warn(m.short(open)+" can be read by other users, so it is not used", "close it with: chmod -R go-rwx "+path)
	}
	return ok(path + ", for this user alone")
}

// exposed is a file of the home that others could read; empty: there is none. Windows protects the folder as a whole.
func exposed(path string) (open string) {
	if runtime.GOOS == "windows" {
		return ""
	}
	_ = filepath.WalkDir(path, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return nil
		}
		if info, err := d.Info(); err == nil && info.Mode().Perm()&0o077 != 0 {
			open = path
			return fs.SkipAll
		}
		return nil
	})
	return open
}

func (m Machine) config(context.Context) Finding {
	path := m.Home.File("config.toml")
	if err := m.Config(); err != nil {
		return fail(m.short(err.Error()), "correct "+m.short(path))
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return ok("none; the defaults hold")
	}
	return ok(m.short(path))
}

// keychain asks each keychain that is in use for an item.
func (m Machine) keychain(ctx context.Context) Finding {
	all, _ := m.Records.SignIns()
	items := map[string]string{"": "doctor"} // the keychain of the next sign-in is asked for what is not there
	for _, si := range all {
		if si.Keychain != "" {
			items[si.Keychain] = si.ID
		}
	}
	seen := map[string]bool{}
	var details []string
	for _, store := range slices.SortedFunc(maps.Keys(items), func(a, b string) int { return strings.Compare(b, a) }) {
		began := m.Now()
		kc, err := m.Keychain(ctx, store)
		if err == nil && seen[kc.Store()] {
			continue
		}
		if err == nil {
			_, err = kc.Get(ctx, items[store])
		}
		if errors.Is(err, credential.ErrNoItem) {
			err = nil
		}
		if err != nil {
			return m.about(err)
		}
		seen[kc.Store()] = true
		details = append(details, kc.Tier()+" answers in "+milliseconds(m.Now().Sub(began)))
	}
	return ok(strings.Join(details, "; "))
}

// hotKey puts a key where the data keys are kept hot, and reads it back.
func (m Machine) hotKey(context.Context) Finding {
	const without = "it works without, but a get has to ask the keychain, which takes longer"
	tier := m.Keys.Tier()
	if runtime.GOOS == "darwin" {
		return ok("the keychain itself, which is asked without a question")
	}
	probe := make([]byte, 32)
	_, _ = rand.Read(probe)
	err := m.Keys.Put("doctor", probe, time.Minute)
	defer func() { _ = m.Keys.Drop("doctor") }()
	back, gerr := m.Keys.Get("doctor")
	works := err == nil && gerr == nil && slices.Equal(back, probe)
	switch used, most, known := cache.KeyQuota(); {
	case !works && known && used >= most:
		return warn(fmt.Sprintf("the kernel keyring is full: %d keys, of which the kernel allows %d; ", used, most)+without,
			"sign out of what is not needed, or have kernel.keys.maxkeys raised (sysctl)")
	case !works:
		return warn("none: this system keeps no keys in memory here; "+without, "see docs/keychains.md for containers and services")
	case known:
		return ok(fmt.Sprintf("%s, %d of %d keys in use", tier, used, most))
	}
	return ok(tier)
}

// locks looks for a refresh that holds up everybody.
func (m Machine) locks(ctx context.Context) Finding {
	names := m.lockNames()
	for _, name := range slices.Sorted(maps.Keys(names)) {
		path, err := m.Records.LockPath(name)
		if err != nil {
			return m.about(err)
		}
		short, cancel := context.WithTimeout(ctx, credential.LockShort)
		held, err := cache.Lock(short, path)
		cancel()
		if err == nil {
			_ = held.Release()
			continue
		}
		who := "another process"
		if pid := cache.Holder(path); pid > 0 {
			who = fmt.Sprintf("process %d", pid)
		}
		return warn(who+" has been refreshing the token for "+shown(names[name])+" for more than "+credential.LockShort.String(), "it ends within "+credential.RefreshTotal.String()+", or end it: the lock goes with it")
	}
	return ok(counted(len(names), "lock") + ", each free")
}

// lockNames are the locks of all refreshes, each with a server that it is for.
func (m Machine) lockNames() map[string]string {
	names := map[string]string{}
	servers, _ := m.Records.Servers()
	for _, server := range servers {
		for _, a := range server.Accounts {
			if si, err := m.Records.SignIn(a.SignIn); err == nil {
				names[si.For(credential.TokenID(si.ID, server.URL, server.Resource, a.Scopes)).Work()] = server.URL
			}
		}
	}
	return names
}

func (m Machine) certificates(context.Context) Finding {
	if _, err := m.HTTP(); err != nil {
		return m.about(err)
	}
	for _, name := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR"} {
		if path := m.Getenv(name); path != "" {
			return ok("those of the system and " + name + "=" + m.short(path))
		}
	}
	return ok("those of the system")
}

// proxy connects to the proxies that the servers are asked through.
func (m Machine) proxy(ctx context.Context, urls []string) Finding {
	proxies := map[string]*url.URL{}
	for _, u := range append(urls, "https://login.microsoftonline.com/") {
		req, err := http.NewRequest(http.MethodGet, u, nil)
		if err != nil {
			continue
		}
		p, err := http.ProxyFromEnvironment(req)
		if err != nil {
			return fail("the proxy setting cannot be read", "correct HTTPS_PROXY and HTTP_PROXY")
		}
		if p != nil {
			proxies[p.Host] = p
		}
	}
	if len(proxies) == 0 {
		return ok("none")
	}
	for _, name := range slices.Sorted(maps.Keys(proxies)) {
		p := proxies[name]
		port := p.Port()
		if port == "" {
			port = map[string]string{"https": "443", "socks5": "1080", "socks5h": "1080"}[p.Scheme]
		}
		ctx, cancel := context.WithTimeout(ctx, credential.DoctorStep)
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(p.Hostname(), cmp.Or(port, "80")))
		cancel()
		if err != nil {
			return fail("the proxy "+name+" cannot be reached", "correct HTTPS_PROXY and NO_PROXY, or connect to the network of the proxy")
		}
		_ = conn.Close()
	}
	return ok(strings.Join(slices.Sorted(maps.Keys(proxies)), ", ") + " can be reached")
}
