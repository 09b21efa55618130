package protocol

import (
	"bufio"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// gitState is the whole of our state[] value. It says no more than "this is our answer", so it needs no secret and
// never goes stale; git asks for a prefix of the helper's own (git-credential, "state[]").
const gitState = "mcp-credential:1"

// attributes is a git request as it was read: the last value of each key, and every value of a key that ends in [].
type attributes struct {
	one  map[string]string
	many map[string][]string
}

// decodeGit reads a request of git's credential protocol as git 2.39 (no empty line at the end) and git >= 2.46
// (capabilities) send it. git offers every URL and every password on earth to every helper: what can be no business of
// ours is an error of kind NotFound, what is malformed one of kind BadInput.
func decodeGit(r io.Reader) (Request, error) {
	a, err := readAttributes(&limited{r, maxRequest})
	if err != nil {
		return Request{}, err
	}
	query, err := gitQuery(a)
	if err != nil {
		return Request{}, err
	}
	expiry, err := gitExpiry(a.one["password_expiry_utc"])
	if err != nil {
		return Request{}, err
	}
	query.ClientID = a.one["oauth_client_id"]
	req := Request{
		Query:      query,
		Expiry:     expiry,
		Refresh:    credential.NewSecret(a.one["oauth_refresh_token"]),
		Issuer:     a.one["oauth_issuer"],
		ClientID:   query.ClientID,
		Ephemeral:  a.one["ephemeral"] == "1" || a.one["ephemeral"] == "true",
		AuthType:   a.has("capability[]", "authtype"),
		State:      a.has("capability[]", "state"),
		Ours:       a.has("state[]", gitState),
		Challenges: a.many["wwwauth[]"],
		User:       a.one["username"],
	}
	if err := req.takeAccess(a); err != nil {
		return Request{}, err
	}
	return req, nil
}

// takeAccess fills Access and Type from the request's credential or password. Another scheme's credential, and a
// password that could not be a token, is not ours.
func (r *Request) takeAccess(a attributes) error {
	isBearer := strings.EqualFold(a.one["authtype"], "Bearer")
	if isBearer {
		r.Type = "Bearer"
	}
	r.Access = credential.NewSecret(a.one["password"])
	if pre := a.one["credential"]; pre != "" {
		if !isBearer {
			return notOurs()
		}
		r.Access = credential.NewSecret(pre)
	}
	err := r.check()
	if err != nil && !r.deliberate() {
		return notOurs()
	}
	return err
}

// readAttributes reads key=value lines up to an empty line or the end. LF alone ends a line: a CR is refused, since
// others may take it for a line's end (CVE-2024-50338, CVE-2024-52006). But where each line ends with CR LF, the first one
// included, it is PowerShell that has written them: git never does, and whoever smuggles a CR into a value of git's cannot have it
// on the others. Keys we do not know are kept and never looked at.
func readAttributes(r io.Reader) (attributes, error) {
	a := attributes{one: map[string]string{}, many: map[string][]string{}}
	lines := bufio.NewReader(r)
	end := ""
	for {
		line, err := lines.ReadString('\n')
		if err != nil && err != io.EOF {
			return a, readError(err)
		}
		last := err == io.EOF
		if end == "" {
			if end = "\n"; strings.HasSuffix(line, "\r\n") {
				end = "\r\n"
			}
		}
		if end == "\r\n" && !last && !strings.HasSuffix(line, end) {
			return a, bad("the git request ends some lines with CR LF and others with LF")
		}
		if line = strings.TrimSuffix(line, end); line == "" {
			return a, nil
		}
		if err := a.add(line); err != nil || last {
			return a, err
		}
	}
}

// add takes one line. A key that ends in [] collects its values, and an empty value drops those before it.
func (a attributes) add(line string) error {
	key, value, found := strings.Cut(line, "=")
	switch {
	case strings.ContainsAny(line, "\r\x00"):
		return bad("the git request contains a carriage return or a NUL; lines end with LF alone")
	case !found:
		return bad("the git request contains a line without an equals sign")
	case !strings.HasSuffix(key, "[]"):
		a.one[key] = value
	case value == "":
		delete(a.many, key)
	default:
		a.many[key] = append(a.many[key], value)
	}
	return nil
}

func (a attributes) has(key, value string) bool {
	for _, v := range a.many[key] {
		if v == value {
			return true
		}
	}
	return false
}

// gitQuery finds out the server. git sends the path without its leading slash and percent-decoded, and only with
// credential.useHttpPath; our own key url is taken byte-exact.
func gitQuery(a attributes) (credential.Query, error) {
	if raw := a.one["url"]; raw != "" {
		if a.one["protocol"] != "" || a.one["host"] != "" || a.one["path"] != "" {
			return credential.Query{}, bad("the git request names its server twice, once with url")
		}
		return a.expand(raw)
	}
	path := strings.TrimPrefix(a.one["path"], "/")
	if path != "" {
		path = "/" + escapePath(path)
	}
	return gitServer(a.one["protocol"], a.one["host"], path)
}

// expand takes a URL apart the way git does: its user name and password become attributes of their own.
func (a attributes) expand(raw string) (credential.Query, error) {
	protocol, rest, found := strings.Cut(raw, "://")
	if !found {
		return credential.Query{}, bad("the url of the git request is not a complete URL")
	}
	host, path := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		name, password, _ := strings.Cut(host[:i], ":")
		host = host[i+1:]
		if err := a.addUser(name, password); err != nil {
			return credential.Query{}, err
		}
	}
	return gitServer(protocol, host, path)
}

// addUser decodes the user information of a URL. What it decodes to becomes a line of git's protocol, so that an
// encoded line end in it would forge further ones (CVE-2020-5260).
func (a attributes) addUser(name, password string) error {
	for key, value := range map[string]string{"username": name, "password": password} {
		plain, err := url.PathUnescape(value)
		if err != nil || !gitSafe(plain) {
			return bad("the url of the git request has a malformed user name or password")
		}
		if plain != "" {
			a.one[key] = plain
		}
	}
	return nil
}

// gitServer builds the query for scheme, host[:port] and a path that is empty or as it stands in the URL. Without a
// protocol or a host there is no server: an empty one must never match any (CVE-2020-11008).
func gitServer(protocol, host, path string) (credential.Query, error) {
	protocol = strings.ToLower(protocol)
	switch {
	case protocol == "":
		return credential.Query{}, bad("the git request names no protocol")
	case protocol != "https" && protocol != "http":
		return credential.Query{}, notOurs()
	case host == "":
		return credential.Query{}, bad("the git request names no host")
	case strings.ContainsAny(host, `/?#@\%`):
		return credential.Query{}, bad("the host of the git request is malformed")
	case strings.ContainsFunc(host, func(c rune) bool { return c >= 0x80 }):
		return credential.Query{}, notOurs() // an internationalised name: ours are written in ASCII
	case protocol == "http" && !credential.Loopback((&url.URL{Host: host}).Hostname()):
		return credential.Query{}, notOurs()
	}
	server, err := credential.ParseServerURL(protocol + "://" + host + path)
	return credential.Query{URL: server, OriginOf: path == "" || path == "/"}, err
}

// escapePath undoes git's percent-decoding as far as a URL needs it (RFC 3986 section 3.3); whether another character was
// encoded is lost. A "?" begins the query, which git leaves in the path.
func escapePath(path string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(path) {
		if c := path[i]; c >= 0x80 || strings.IndexByte(" \"#%<>\\^`{|}", c) >= 0 {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// gitExpiry reads seconds since 1970 in UTC; git takes 0 for "unknown", and so do we.
func gitExpiry(value string) (time.Time, error) {
	if value == "" {
		return time.Time{}, nil
	}
	seconds, err := strconv.ParseInt(value, 10, 64)
	if err != nil || seconds < 0 || seconds > maxExpiry {
		return time.Time{}, bad("password_expiry_utc is not a time in seconds since 1970")
	}
	if seconds == 0 {
		return time.Time{}, nil
	}
	return time.Unix(seconds, 0).UTC(), nil
}

func notOurs() error {
	return credential.Fail(credential.NotFound, "this is not a request for an MCP server", nil)
}

// failGit says nothing about an unknown server: git asks every helper about every one.
func failGit(err error, _ string) *Failure {
	if credential.KindOf(err) != credential.NotFound {
		return nil
	}
	return &Failure{}
}

// encodeGit answers with a user name and a password, which every git understands, or with a Bearer credential where the
// caller has announced authtype. That credential is ephemeral: git's other helpers, which see every answer in a store,
// must not keep it. quit is never sent: another helper may know more.
func encodeGit(w io.Writer, r Request, t credential.Token) error {
	token, err := bearer(t)
	if err != nil {
		return err
	}
	var lines []string
	if r.AuthType {
		lines = append(lines, "capability[]=authtype")
	}
	if r.State {
		lines = append(lines, "capability[]=state")
	}
	if r.AuthType {
		lines = append(lines, "authtype=Bearer", "credential="+token, "ephemeral=1")
	} else {
		lines = append(lines, "username="+gitUser(r.User), "password="+token)
	}
	if !t.Expiry.IsZero() {
		lines = append(lines, "password_expiry_utc="+strconv.FormatInt(t.Expiry.Unix(), 10))
	}
	if r.State {
		lines = append(lines, "state[]="+gitState)
	}
	return writeLines(w, lines)
}

// gitUser is the user name for a password: servers that take a token in its place ignore the name or want this one.
func gitUser(callers string) string {
	if callers != "" {
		return callers
	}
	return "oauth2"
}

// maxGitLine is the longest line that git itself takes, in bytes and without its LF.
const maxGitLine = 65535

func writeLines(w io.Writer, lines []string) error {
	for _, line := range lines {
		if !gitSafe(line) || len(line) > maxGitLine {
			return bad("the answer cannot be written as a line of git's protocol")
		}
	}
	return write(w, strings.Join(lines, "\n")+"\n")
}

func gitSafe(s string) bool { return !strings.ContainsAny(s, "\r\n\x00") }
