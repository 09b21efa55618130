package forward

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// Client asks over the forwards that end at this machine.
type Client struct {
	Sockets []string // of Find; the first one that answers counts
	Home    string   // the home directory: sockets of ended forwards that are in its folder are removed
	Now     func() time.Time
	Trace   func(string)
}

// errNobody says that nothing listens at a socket, or that it takes no question.
var errNobody = errors.New("nobody answers there")

// Ask asks one question, for as long as r.Wait and what the two ends need. That no forward is there any more is of kind
// Network; see decodeAnswer for other errors.
func (c Client) Ask(ctx context.Context, r Request) (credential.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, r.Wait+credential.ForwardLine)
	defer cancel()
	var refused error
	for _, path := range c.Sockets {
		if err := checkSocket(path); err != nil {
			c.Trace("forward: " + err.Error())
			if !errors.Is(err, fs.ErrNotExist) {
				refused = err
			}
			continue
		}
		t, err := c.ask(ctx, path, r)
		if !errors.Is(err, errNobody) {
			return t, err
		}
		c.Trace("forward: " + err.Error() + ": " + path)
	}
	if refused != nil {
		return credential.Token{}, refused
	}
	return credential.Token{}, Ended(r.Server)
}

// Ended says that the forward is gone by which tokens for a server came.
func Ended(server string) error {
	return &credential.Error{Kind: credential.Network, Server: server,
		Text: "the forward that brings tokens for " + server + " has ended; connect to this machine again with mcp-credential ssh"}
}

func (c Client) ask(ctx context.Context, path string, r Request) (credential.Token, error) {
	before, _ := os.Lstat(path)
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if errors.Is(err, syscall.ECONNREFUSED) {
		c.remove(path, before)
		return credential.Token{}, errNobody
	}
	if err != nil {
		return credential.Token{}, errNobody
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := checkPeer(conn); err != nil {
		return credential.Token{}, foreign(path, err)
	}
	if _, err := conn.Write(r.encode()); err != nil && ctx.Err() == nil {
		return credential.Token{}, errNobody
	}
	data, err := readLine(conn)
	switch {
	case err == nil:
		return decodeAnswer(data, r.Server, c.Now())
	case ctx.Err() != nil:
		return credential.Token{}, &credential.Error{Kind: credential.Network, Server: r.Server, Text: "the other end of the forward has not answered in time"}
	case len(data) == 0 && !errors.Is(err, errTooLong):
		return credential.Token{}, errNobody
	}
	return credential.Token{}, badAnswer(r.Server)
}

// remove removes the socket of a forward that has ended, which sshd leaves behind and would then refuse to make again. A
// new one that has taken its place meanwhile stays.
func (c Client) remove(path string, before fs.FileInfo) {
	now, err := os.Lstat(path)
	if err == nil && before != nil && filepath.Dir(path) == Folder(c.Home) && os.SameFile(now, before) {
		_ = os.Remove(path)
	}
}
