// Package home finds the one directory that holds configuration, cache and locks, and says whether it can be trusted.
// What lies inside it belongs to the packages that put it there.
package home

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mcp-credential/mcp-credential/credential"
)

// Variable names the environment variable that overrides the default directory.
const Variable = "MCPCRED_HOME"

// folder is the default directory inside the user's home.
const folder = ".mcp-credential"

// Dir is a home directory. It may not exist yet; see Check and Create.
type Dir struct {
	Path string // absolute and cleaned, as the user named it
	ID   string // 16 hexadecimal digits of SHA-256 over the path with its symlinks resolved; keychain items carry it
}

// Find returns the home directory: flag (--home) if not empty, else $MCPCRED_HOME, else .mcp-credential in the user's
// home. Nothing else of the environment counts: hosts scrub XDG_* and the like, and the answer must be the same under
// each of them. A relative path is refused, with kind Usage for the flag and BadHome for a variable.
func Find(flag string, getenv func(string) string) (Dir, error) {
	if flag != "" {
		return at(flag, "--home", credential.Usage)
	}
	if path := getenv(Variable); path != "" {
		return at(path, Variable, credential.BadHome)
	}
	user := getenv(userVariable)
	if user == "" {
		return Dir{}, credential.Fail(credential.BadHome, "neither "+Variable+" nor "+userVariable+" is set; set "+Variable+" to an absolute path", nil)
	}
	return at(filepath.Join(user, folder), userVariable, credential.BadHome)
}

func at(path, origin string, kind credential.Kind) (Dir, error) {
	if !filepath.IsAbs(path) {
		return Dir{}, credential.Fail(kind, "the home directory "+shown(path)+" (from "+origin+") is not an absolute path", nil)
	}
	path = filepath.Clean(path)
	sum := sha256.Sum256([]byte(resolve(path)))
	return Dir{Path: path, ID: hex.EncodeToString(sum[:8])}, nil
}

// resolve follows the symlinks of path. The part that does not exist yet is kept as it is written, so that a home has
// the same ID before and after it is created. A path that cannot be resolved stays as written; Check says what is wrong.
func resolve(path string) string {
	real, err := filepath.EvalSymlinks(path)
	if err == nil {
		return real
	}
	parent := filepath.Dir(path)
	if !errors.Is(err, fs.ErrNotExist) || parent == path {
		return path
	}
	return filepath.Join(resolve(parent), filepath.Base(path))
}

// Check reports whether the directory exists, belongs to the caller and, on Unix, is closed to everybody else. Errors
// are of kind BadHome and name the path and the command that helps; a missing directory is also an fs.ErrNotExist.
func (d Dir) Check() error {
	link, err := os.Lstat(d.Path)
	if err != nil {
		return d.fail("cannot be read", err)
	}
	info := link
	if link.Mode()&fs.ModeSymlink != 0 {
		if info, err = os.Stat(d.Path); err != nil {
			return d.fail("is a symbolic link that leads nowhere", err)
		}
	}
	if !info.IsDir() {
		return d.fail("is not a directory", nil)
	}
	return d.checkAccess(link, info)
}

// Create makes the directory and its missing parents, all of them closed to others, and checks it. An existing
// directory is only checked: its permissions are the owner's to change.
func (d Dir) Create() error {
	if err := os.MkdirAll(d.Path, 0o700); err != nil {
		return d.fail("cannot be created", err)
	}
	return d.Check()
}

// File returns the path of a file inside the directory.
func (d Dir) File(elem ...string) string {
	return filepath.Join(append([]string{d.Path}, elem...)...)
}

// fail says what is wrong with the directory. Of a path error only the cause is kept: the sentence has the path.
func (d Dir) fail(what string, err error) error {
	if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	return credential.Fail(credential.BadHome, "the home directory "+shown(d.Path)+" "+what, err)
}

func shown(path string) string { return credential.Printable(path, 1024) }
