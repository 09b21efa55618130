package forward

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/mcp-credential/mcp-credential/credential"
)

// Variable names the socket that questions go to instead of those in the home.
const Variable = "MCPCRED_SOCKET"

// extension is that of sockets in Folder.
const extension = ".sock"

// Folder is where the sockets of forwards are that end at this machine: below the home directory.
func Folder(home string) string { return filepath.Join(home, "forward") }

// Find returns the sockets that a question can go to, the newest first: the one that the environment names, else those in
// the home directory. Whether they can be trusted, and anybody listens there, is seen when they are used.
func Find(getenv func(string) string, home string) []string {
	if path := getenv(Variable); path != "" {
		return []string{path}
	}
	entries, err := os.ReadDir(Folder(home))
	if err != nil {
		return nil
	}
	var found []fs.FileInfo
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasSuffix(e.Name(), extension) && info.Mode()&fs.ModeSocket != 0 {
			found = append(found, info)
		}
	}
	slices.SortStableFunc(found, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	var out []string
	for _, info := range found {
		out = append(out, filepath.Join(Folder(home), info.Name()))
	}
	return out
}

// checkSocket reports whether a path is a socket of this user's that nobody else can connect to. Errors are fs.ErrNotExist or
// of kind BadHome.
func checkSocket(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return err
	}
	switch {
	case !filepath.IsAbs(path):
		err = errors.New("it is not an absolute path")
	case err != nil:
	case info.Mode()&fs.ModeSocket == 0:
		err = errors.New("it is not a socket")
	case !ours(info):
		err = errors.New("it belongs to another user")
	case !closed(info) && !closedFolder(filepath.Dir(path)):
		err = errors.New("others can connect to it; run: chmod 600 '" + credential.Printable(path, 1024) + "'")
	}
	if err != nil {
		return foreign(path, err)
	}
	return nil
}

func foreign(path string, err error) error {
	return credential.Fail(credential.BadHome, "the socket "+credential.Printable(path, 1024)+" cannot be trusted", err)
}

func closedFolder(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir() && ours(info) && closed(info)
}

// Listen makes a socket that only this user can connect to, in a folder that is made where it is missing and has to be this
// user's alone. A socket that nobody listens at is replaced. Errors are of kind BadInput.
func Listen(path string) (net.Listener, error) {
	fail := func(text string, err error) (net.Listener, error) {
		return nil, credential.Fail(credential.BadInput, "the socket "+credential.Printable(path, 1024)+" "+text, err)
	}
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fail("cannot be made", err)
	}
	if !closedFolder(folder) {
		return fail("has to be in a folder that is yours and has mode 0700", nil)
	}
	if info, err := os.Lstat(path); err == nil {
		conn, err := net.Dial("unix", path)
		if err == nil {
			_ = conn.Close()
			return fail("is served by another process", nil)
		}
		if info.Mode()&fs.ModeSocket == 0 || !errors.Is(err, syscall.ECONNREFUSED) {
			return fail("cannot be made: something else is there", nil)
		}
		_ = os.Remove(path)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return fail("cannot be made", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return fail("cannot be closed to others", err)
	}
	return l, nil
}
