//go:build integration && linux

package integration

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/mcp-credential/mcp-credential/internal/testsupport"
)

// busPlace returns where systemd keeps the session bus of this user, with its folder made for the time of the test. A
// machine where somebody's real bus is there, or where the folder cannot be made, cannot run the test: in CI that is a
// failure.
func busPlace(t *testing.T) string {
	t.Helper()
	dir := filepath.Join("/run/user", strconv.Itoa(os.Geteuid()))
	socket := filepath.Join(dir, "bus")
	if _, err := os.Lstat(socket); !errors.Is(err, fs.ErrNotExist) {
		testsupport.Missing(t, "a place for a bus of its own: "+socket+" is taken")
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := os.Mkdir(dir, 0o700); err != nil {
			testsupport.Missing(t, "the right to make "+dir)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) }) // gpg keeps sockets where it finds the folder
	}
	return socket
}
