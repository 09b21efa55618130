package call

import (
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/protocol"
)

// hostURL is set by Claude Code for its headersHelper to the server's URL.
const hostURL = "CLAUDE_CODE_MCP_SERVER_URL"

// Program is the name that the programs go by; under the names in the table of formats they speak a format of its own.
const Program = "mcp-credential"

// Spoken returns the format that a program of that name speaks; the zero Format where it is none.
func Spoken(program string) protocol.Format {
	f, _ := protocol.Find(func(f protocol.Format) bool { return f.Program != "" && f.Program == program })
	return f
}

// Start turns the command line of a caller that starts the program in a way of its own into that of a get, with what the program has to
// say before it reads; any other command line stays.
func Start(args []string) (line []string, hello string) {
	if len(args) != 2 {
		return args, ""
	}
	f, ok := protocol.Find(func(f protocol.Format) bool { return f.Start != "" && f.Start == args[1] })
	if !ok {
		return args, ""
	}
	return []string{args[0], "get", "--input", f.Name}, f.Hello
}

// Name returns the name that the program was called by, without folder and .exe.
func Name(arg0 string) string {
	base := filepath.Base(arg0)
	if ext := filepath.Ext(base); strings.EqualFold(ext, ".exe") {
		base = strings.ToLower(strings.TrimSuffix(base, ext)) // Windows file names do not tell case apart
	}
	return base
}

// Request is one call, decoded.
type Request struct {
	protocol.Request
	Input    protocol.Format // what the request came in; zero where a URL or a resource is on the command line
	Output   protocol.Format
	Resource string // the server is the one whose protected resource this is; Query.URL is empty then
	Read     []byte // what was read from stdin, so that another process can decode it again
}

// Repeats reports whether the call is one of a host that can only ask again where its token was refused: for headers, of a
// server that the command line or the host's environment names. Whoever writes a request to stdin can say erase.
func (r Request) Repeats() bool {
	return r.Output.Name == "headers" && r.Read == nil && r.Resource == "" && r.Query.Challenge == ""
}

// Decode works out what a call asks for: from the URL or the resource on the command line (stdin is never read then), from the
// host's environment, or from stdin in the format that --input, the program's name or the request itself says. The request's Input is
// set on errors too, once it is known.
func Decode(f Flags, program string, getenv func(string) string, stdin *os.File) (Request, error) {
	if err := f.Check(); err != nil {
		return Request{Input: Spoken(program)}, err
	}
	r := Request{Resource: f.resource()}
	var err error
	url, output := f.URL, "token"
	if url == "" && r.Resource == "" && f.Input == "" && program == Program {
		if url = getenv(hostURL); url != "" {
			output = "headers"
		}
	}
	switch {
	case url != "":
		r.Query.URL, err = credential.ParseServerURL(url)
	case r.Resource != "":
	default:
		if err = r.read(f, program, getenv, stdin); err == nil {
			output = r.Format
		}
	}
	if err != nil {
		return r, err
	}
	if f.Output != "" {
		output = f.Output
	}
	if r.Output, err = protocol.ByName(output); err == nil {
		err = r.context(getenv)
	}
	r.merge(f)
	r.Query.Principal = Principal(getenv)
	if err == nil && !credential.CheckLabel(r.Query.Account) {
		err = credential.Fail(credential.BadInput, "an account label is at most 200 printable characters", nil)
	}
	return r, err
}

// read takes the request from stdin, or from the variable that its format has it in.
func (r *Request) read(f Flags, program string, getenv func(string) string, stdin *os.File) error {
	r.Input = Spoken(program)
	if f.Input != "" {
		var err error
		if r.Input, err = protocol.ByName(f.Input); err != nil {
			return err
		}
	}
	var err error
	if variable := r.Input.Variable; variable != "" {
		text := getenv(variable)
		if text == "" {
			return credential.Fail(credential.BadInput, "there is no server URL, and "+variable+" is not set", nil)
		}
		r.Request, err = protocol.Decode(strings.NewReader(text), r.Input.Name)
		return err
	}
	in, err := boundedStdin(stdin)
	if err != nil {
		return err
	}
	var copied strings.Builder
	r.Request, err = protocol.Decode(io.TeeReader(in, &copied), r.Input.Name)
	r.Read = []byte(copied.String())
	if known, ok := protocol.Find(func(f protocol.Format) bool { return f.Name == r.Format }); ok {
		r.Input = known
	}
	r.Query.Below = r.Input.Everywhere && !r.Query.OriginOf
	return err
}

// context takes what the answer depends on from the variable that its caller has set, where the request did not come from it.
func (r *Request) context(getenv func(string) string) error {
	if r.Output.Context == nil || r.Input.Name == r.Output.Name {
		return nil
	}
	text := getenv(r.Output.Variable)
	if text == "" {
		return nil
	}
	said, err := r.Output.Context(strings.NewReader(text))
	r.Version = said.Version
	return err
}

// merge adds what the flags say to what the request says; a flag wins.
func (r *Request) merge(f Flags) {
	q := &r.Query
	if f.Account != "" {
		q.Account = f.Account
	}
	if f.ClientID != "" {
		q.ClientID = f.ClientID
	}
	if f.Challenge != "" {
		q.Challenge = f.Challenge
	}
	q.Identity, q.Tenant = f.Identity, f.Tenant
	q.Scopes = credential.JoinScopes(q.Scopes, f.scopes())
	r.Shell, r.Variable = f.Shell, f.Variable
}

// ConfigStamp returns the size and modification time of the configuration file in a home directory; zeros without one.
func ConfigStamp(path string) (size, mtime int64) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, 0
	}
	return info.Size(), info.ModTime().UnixNano()
}
