package postgres

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/atomicfile"
	"github.com/mcp-credential/mcp-credential/internal/wait"
)

// Update locks the row of a sign-in, calls do with what it holds, and commits what do returns before it returns itself. The lock
// is one of the database and of this connection: a machine that dies lets go of it. credential.ErrNoItem where there is no row.
//
// do calls begin before it spends the refresh token. begin leaves a mark in the row, committed, that says so: a machine that dies
// with the only copy of what the token was exchanged for comes back to find it parked, and until it does nobody else spends the same
// token again, for credential.RefreshTotal. An update ends the mark.
//
// Where the connection is lost during the commit, Update connects again and finds out what has become of it, for
// credential.KeepTrying; then its error leaves that open.
func (s *Store) Update(ctx context.Context, id string, do func(old credential.Shared, begin func() error) credential.Shared) error {
	if err := checkID(id); err != nil {
		return err
	}
	me, err := s.machine()
	if err != nil {
		return err
	}
	end := time.Now().Add(patience)
	busy := false
	for pause := 20 * time.Millisecond; ; pause = min(pause*3/2, time.Second) {
		u := update{store: s, id: id, me: me, do: do}
		err := u.once(ctx)
		if !errors.Is(err, errBegun) && !(busy && ctx.Err() != nil) {
			return explain(err)
		}
		busy = true
		if time.Now().After(end) || wait.Sleep(ctx, pause) != nil {
			e := credential.Fail(credential.StillRefreshing, "another machine of the fleet has begun a refresh and not ended it", nil)
			e.RetryAfter = RetryAfter
			return e
		}
	}
}

// errBegun says that another machine has begun to spend the refresh token.
var errBegun = errors.New("another machine has begun")

// update is one attempt to update a row.
type update struct {
	store *Store
	id    string
	me    string
	do    func(old credential.Shared, begin func() error) credential.Shared
	begun bool
	key   *key // that seals the row: a Rekey may have come before the lock
}

func (u *update) once(ctx context.Context) error {
	c, err := u.store.connect(ctx)
	if err != nil {
		return err
	}
	defer c.end(ctx)
	old, err := u.lock(ctx, c)
	if err != nil {
		return err
	}
	u.store.o.Trace("fleet: the row is locked")
	item := u.do(old.item, func() error { return u.begin(ctx, c, old) })
	changed := !bytes.Equal(item.Grant, old.item.Grant)
	if !changed && !u.begun && same(item, old.item) {
		return nil // the connection ends, and the transaction with it
	}
	next := old
	next.item, next.key = item, u.key
	if changed {
		next.generation++
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), credential.KeepTrying)
	defer cancel()
	err = u.write(ctx, c, old, next)
	if err == nil || !lost(err) {
		return err
	}
	c.end(ctx)
	return u.again(ctx, old, next, err)
}

func same(a, b credential.Shared) bool {
	return bytes.Equal(a.Record, b.Record) && bytes.Equal(a.Tokens, b.Tokens) && slices.Equal(a.Servers, b.Servers)
}

// lock begins a transaction and locks the row. errBegun where another machine has left its mark.
func (u *update) lock(ctx context.Context, c *connection) (row, error) {
	if err := c.begin(ctx); err != nil {
		return row{}, err
	}
	r, err := c.row(ctx, u.id, true)
	if err == nil && r.spender != "" && r.spender != u.me && r.since < credential.RefreshTotal {
		u.store.o.Trace("fleet: another machine has begun a refresh " + r.since.Round(time.Millisecond).String() + " ago")
		err = errBegun
	}
	u.key = r.key
	return r, err
}

// begin leaves the mark, and has the lock again when it returns.
func (u *update) begin(ctx context.Context, c *connection, old row) error {
	if u.begun {
		return nil
	}
	_, err := c.Exec(ctx, "update "+table+" set spender = $2, spending_since = "+now+" where id = $1", u.id, u.me)
	if err == nil {
		err = c.commit(ctx)
	}
	if err != nil {
		return explain(err)
	}
	r, err := u.lock(ctx, c)
	if errors.Is(err, errBegun) || err == nil && (r.generation != old.generation || r.spender != u.me) {
		err = credential.Fail(credential.StillRefreshing, "another machine of the fleet has just refreshed", nil)
	}
	if u.begun = err == nil; u.begun {
		u.store.o.Trace("fleet: this machine has begun")
	}
	return explain(err)
}

func (u *update) write(ctx context.Context, c *connection, old, next row) error {
	if err := c.update(ctx, next); err != nil {
		return err
	}
	if !slices.Equal(old.item.Servers, next.item.Servers) {
		if _, err := c.Exec(ctx, "update "+table+" set servers = $2 where id = $1", u.id, next.item.Servers); err != nil {
			return err
		}
	}
	u.store.o.Trace("fleet: written, not committed")
	return c.commit(ctx)
}

// lost reports whether err leaves open what the database has done: everything but its own refusal does.
func lost(err error) bool { return credential.KindOf(explain(err)) == credential.Network }

// again finds out what has become of a commit, and repeats it where nothing has.
func (u *update) again(ctx context.Context, old, next row, err error) error {
	for pause := 50 * time.Millisecond; wait.Sleep(ctx, pause) == nil; pause = min(pause*2, time.Second) {
		u.store.o.Trace("fleet: the connection was lost during the commit; looking what has become of it")
		var done bool
		if done, err = u.settle(ctx, old, next); done {
			return err
		}
	}
	return explain(err)
}

func (u *update) settle(ctx context.Context, old, next row) (done bool, err error) {
	c, err := u.store.connect(ctx)
	if err != nil {
		return false, err
	}
	defer c.end(ctx)
	r, err := u.lock(ctx, c)
	switch {
	case errors.Is(err, errBegun) || errors.Is(err, credential.ErrNoItem):
		return true, err
	case err != nil:
		return !lost(err), err
	case r.generation == next.generation && bytes.Equal(r.item.Grant, next.item.Grant) && r.spender == "":
		u.store.o.Trace("fleet: the commit had happened")
		return true, nil
	case r.generation != old.generation:
		return true, credential.Fail(credential.StillRefreshing, "another machine of the fleet has refreshed meanwhile", nil)
	}
	next.key = u.key
	err = u.write(ctx, c, r, next)
	return err == nil || !lost(err), err
}

// machineFile is in the home: the name of this machine in the fleet, made up at first use. It must not be copied to another machine.
const machineFile = "fleet-machine"

// machine returns the name of this machine.
func (s *Store) machine() (string, error) {
	path := filepath.Join(s.o.Dir, machineFile)
	for range 2 {
		data, err := atomicfile.Read(path, 64)
		if name := strings.TrimSpace(string(data)); err == nil && name != "" {
			return name, nil
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", credential.Fail(credential.BadHome, "the file "+path+" cannot be used", err)
		}
		name := make([]byte, 12)
		_, _ = rand.Read(name) // never fails (crypto/rand since Go 1.24)
		temp := path + "." + hex.EncodeToString(name)
		if err := atomicfile.Write(temp, []byte(hex.EncodeToString(name)+"\n")); err != nil {
			return "", credential.Fail(credential.BadHome, "cannot write "+path, err)
		}
		err = os.Link(temp, path) // the first of several processes names the machine
		_ = os.Remove(temp)
		if err != nil && !errors.Is(err, os.ErrExist) {
			return "", credential.Fail(credential.BadHome, "cannot write "+path, err)
		}
	}
	return "", credential.Fail(credential.BadHome, "the file "+path+" is empty; remove it", nil)
}
