//go:build integration && linux

package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/internal/testsupport"
)

// TestForwardIntoAContainer has a namespace of its own ask by a mounted folder: another root for home and /tmp, no network, and
// no keyring, as the usual filter of container engines has it.
func TestForwardIntoAContainer(t *testing.T) {
	m := machines{laptop: newAccount(t, "mcplaptop")}
	share(t)
	l := m.laptop
	l.env["BROWSER"], l.env["FAKEBROWSER_LOG"] = shared("fakebrowser"), l.path("tabs")
	l.write("passphrase", "correct horse battery staple\n")
	l.configure(`store = "file"`, `passphrase_file = "`+l.path("passphrase")+`"`)
	l.own()
	w := strictWorld(t)
	socket := l.dir("serve", "dev", "mcp.sock")
	c := l.as(l.command(shared("mcp-credential"), "forward", "--host", "dev", socket))
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the socket is there", 20*time.Second, func() bool {
		_, err := os.Stat(socket)
		return err == nil
	})
	inside := container{t, l, l.dir("serve", "dev")}
	first := token(t, inside.run("get", "--wait", "30s", w.ServerURL()))
	if got := token(t, inside.run("get", w.ServerURL())); got != first || m.tabs() != 2 {
		t.Errorf("another token, or %d tabs", m.tabs())
	}
	r := inside.run("status", "-o", "json")
	var lines []struct{ Identity, Keychain string }
	if err := json.Unmarshal([]byte(r.stdout), &lines); err != nil || len(lines) != 1 || lines[0].Identity != "forwarded" {
		t.Errorf("%v, %s", err, r.stdout)
	}
	_ = in.Close()
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	l.refused(inside.run("get", w.ServerURL()), 4, "has ended") // nothing was kept: there was no place for a key
	l.holdsNoSecret(w)
}

// container runs programs like a container that has the account's number, a home of its own and one folder of the machine.
type container struct {
	t      *testing.T
	user   *account
	folder string
}

func (c container) run(args ...string) result {
	c.t.Helper()
	need := exec.Command("unshare", "--mount", "--net", "--pid", "--fork", "true")
	if out, err := need.CombinedOutput(); err != nil {
		testsupport.Missing(c.t, "namespaces: "+string(out))
	}
	const script = `set -e
mkdir -p "$ROOT/run" "$ROOT/home"
mount --bind "$FOLDER" "$ROOT/run"
chown "$ID" "$ROOT/home"
cd /
exec "$TEST" "$(command -v setpriv)" --reuid "$ID" --clear-groups --no-new-privs env HOME="$ROOT/home" MCPCRED_SOCKET="$ROOT/run/mcp.sock" "$@"`
	root := c.user.path("container")
	cmd := c.user.command("unshare", append([]string{"--mount", "--net", "--pid", "--fork", "--mount-proc", "sh", "-c", script, "sh", shared("mcp-credential")}, args...)...)
	cmd.Env = append(cmd.Env, "TEST="+os.Args[0], "ROOT="+root, "FOLDER="+c.folder, "ID="+strconv.Itoa(int(c.user.id)), roleVariable+"=no-keyring")
	return c.user.finish(cmd)
}
