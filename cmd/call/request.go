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

// Program names.
const (
	Program    = "mcp-credential"
	GitProgram = "git-credential-mcp"
)

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
	Output protocol.Format
	Read   []byte // what was read from stdin, so that another process can decode it again
}

// Repeats reports whether the call is one of a host that can only ask again where its token was refused: for headers, of a
// server that the command line or the host's environment names. Whoever writes a request to stdin can say erase.
func (r Request) Repeats() bool {
	return r.Output.Name == "headers" && r.Read == nil && r.Query.Challenge == ""
}

// Decode works out what a call asks for: from the URL on the command line (stdin is never read then), from the host's
// environment, or from stdin in the format that --input, the program's name or the first byte says.
func Decode(f Flags, program string, getenv func(string) string, stdin *os.File) (Request, error) {
	if err := f.Check(); err != nil {
		return Request{}, err
	}
	var r Request
	var err error
	url, output := f.URL, "token"
	if url == "" && f.Input == "" && program == Program {
		if url = getenv(hostURL); url != "" {
			output = "headers"
		}
	}
	if url != "" {
		r.Query.URL, err = credential.ParseServerURL(url)
	} else if err = r.read(f, program, stdin); err == nil {
		output = r.Format
	}
	if err != nil {
		return r, err
	}
	if f.Output != "" {
		output = f.Output
	}
	r.Output, err = protocol.ByName(output)
	r.merge(f)
	r.Query.Principal = Principal(getenv)
	if err == nil && !credential.CheckLabel(r.Query.Account) {
		err = credential.Fail(credential.BadInput, "an account label is at most 200 printable characters", nil)
	}
	return r, err
}

func (r *Request) read(f Flags, program string, stdin *os.File) error {
	format := f.Input
	if format == "" && program == GitProgram {
		format = "git"
	}
	in, err := boundedStdin(stdin)
	if err != nil {
		return err
	}
	var copied strings.Builder
	r.Request, err = protocol.Decode(io.TeeReader(in, &copied), format)
	r.Read = []byte(copied.String())
	r.Query.Below = r.Format == "git" && !r.Query.OriginOf
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
	q.Scopes = credential.JoinScopes(q.Scopes, f.Scope)
}

// ConfigStamp returns the size and modification time of the configuration file in a home directory; zeros without one.
func ConfigStamp(path string) (size, mtime int64) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, 0
	}
	return info.Size(), info.ModTime().UnixNano()
}
