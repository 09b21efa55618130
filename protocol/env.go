package protocol

import (
	"io"
	"runtime"

	"github.com/mcp-credential/mcp-credential/credential"
)

// EnvDefault is the environment variable that the env format sets where --variable names no other.
const EnvDefault = "MCP_ACCESS_TOKEN"

// envLine is the line that sets a variable in a shell, and "" for a shell that we do not know. A bearer token has no character that
// would end these quotes or mean something inside them.
func envLine(shell, variable, token string) string {
	switch shell {
	case "posix":
		return "export " + variable + "='" + token + "'\n"
	case "fish":
		return "set -gx " + variable + " '" + token + "'\n"
	case "powershell":
		return "$env:" + variable + " = '" + token + "'\n"
	case "cmd":
		return `set "` + variable + "=" + token + "\"\r\n"
	}
	return ""
}

// CheckEnv judges the shell and the variable of an env answer; empty ones are the defaults. Errors are of kind Usage.
func CheckEnv(shell, variable string) error {
	switch {
	case shell != "" && envLine(shell, "", "") == "":
		return credential.Fail(credential.Usage, "--shell can be posix, fish, powershell or cmd", nil)
	case variable != "" && !isVariable(variable):
		return credential.Fail(credential.Usage, "--variable takes letters, digits and underscores, and begins with no digit", nil)
	}
	return nil
}

// isVariable reports whether every shell takes name for a variable's as it stands (POSIX, XBD 8.1).
func isVariable(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != "" && len(name) <= 128
}

// encodeEnv writes the line that puts the token into a variable of the caller's shell: without one named a POSIX shell, on
// Windows PowerShell.
func encodeEnv(w io.Writer, r Request, t credential.Token) error {
	token, err := bearer(t)
	if err == nil {
		err = CheckEnv(r.Shell, r.Variable)
	}
	if err != nil {
		return err
	}
	shell, variable := r.Shell, r.Variable
	if shell == "" {
		shell = shellOf(runtime.GOOS)
	}
	if variable == "" {
		variable = EnvDefault
	}
	return write(w, envLine(shell, variable, token))
}

// shellOf is the shell that people of an operating system most likely have.
func shellOf(goos string) string {
	if goos == "windows" {
		return "powershell"
	}
	return "posix"
}
