// Package postgres keeps sign-ins in a table of PostgreSQL that the machines of a fleet share. A row is one sign-in; its lock
// is what keeps two machines from spending a refresh token, and a commit is what makes the next one durable. Everything in a row
// that matters is sealed under the key of the fleet, which the database never sees. What a grant, a record or a token is, and when
// one is spent, is left to helper. It is the only importer of pgx.
package postgres

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mcp-credential/mcp-credential/credential"
)

// Name is the value of the setting "store" that chooses this store.
const Name = "postgres"

// Options says where a fleet keeps its sign-ins.
type Options struct {
	Dir     string // the home directory, where the name of this machine in the fleet is kept
	URLFile string // a file with the URL of the database
	KeyFile string // the key of the fleet: see NewKey
	Trace   func(string)
}

// Store is the table. Its methods may be called from any number of goroutines, processes and machines. Each opens a connection
// and closes it: a machine calls once or twice in the life of an access token. Errors are credential.ErrNoItem or a
// *credential.Error: of kind Network where the database cannot be reached, StillRefreshing where another machine holds the row,
// Misconfigured or Untrusted where settings, rights or certificates are wrong. None holds the URL.
type Store struct{ o Options }

// Open returns the store. It reads no file and connects to nothing yet.
func Open(o Options) *Store {
	if o.Trace == nil {
		o.Trace = func(string) {}
	}
	return &Store{o}
}

// Store is the name by which this store is chosen.
func (s *Store) Store() string { return Name }

// Tier names the store for people.
func (s *Store) Tier() string { return "PostgreSQL, shared by a fleet" }

// DataKey is the key that seals the access tokens of a sign-in on this machine, and its parked refresh tokens. It is derived from the
// key of the fleet, so that what is cached can be read while the database is away.
func (s *Store) DataKey(id string) (credential.Secret, error) {
	keys, err := readKeys(s.o.KeyFile)
	if err != nil {
		return credential.Secret{}, err
	}
	return keys.data(id)
}

// Get returns the grant of a sign-in, or credential.ErrNoItem.
func (s *Store) Get(ctx context.Context, id string) ([]byte, error) {
	item, err := s.Lookup(ctx, id)
	return item.Grant, err
}

// Lookup reads a row without locking it. credential.ErrNoItem where there is none.
func (s *Store) Lookup(ctx context.Context, id string) (item credential.Shared, err error) {
	if err := checkID(id); err != nil {
		return item, err
	}
	err = s.session(ctx, func(ctx context.Context, c *connection) error {
		r, err := c.row(ctx, id, false)
		item = r.item
		return err
	})
	return item, err
}

// Serving returns the sign-ins that serve a server, in the order of their identifiers.
func (s *Store) Serving(ctx context.Context, server string) (out []credential.Shared, err error) {
	err = s.session(ctx, func(ctx context.Context, c *connection) error {
		rows, err := c.Query(ctx, "select id from "+table+" where $1 = any(servers) order by id", server)
		if err != nil {
			return err
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		for _, id := range ids {
			r, err := c.row(ctx, id, false)
			if errors.Is(err, credential.ErrNoItem) {
				continue // it has just been removed
			}
			if err != nil {
				return err
			}
			out = append(out, r.item)
		}
		return nil
	})
	return out, err
}

// Set makes a grant durable. A row that is there keeps its servers and its record, not its access tokens: they belong to the grant before.
// There is no place for the label: people find a row by its servers.
func (s *Store) Set(ctx context.Context, id, _ string, value []byte) error {
	if err := checkID(id); err != nil {
		return err
	}
	return s.session(ctx, func(ctx context.Context, c *connection) error {
		if err := c.begin(ctx); err != nil {
			return err
		}
		r, err := c.row(ctx, id, true)
		if errors.Is(err, credential.ErrNoItem) {
			if err := c.insert(ctx, id, value); err != nil {
				return err
			}
			return c.commit(ctx)
		}
		if err != nil && !isDamaged(err) { // a new sign-in is how a row is repaired that no key opens
			return err
		}
		r.item = credential.Shared{ID: id, Servers: r.item.Servers, Record: r.item.Record, Grant: slices.Clone(value)}
		r.generation++
		if r.key == nil {
			if r.key, err = c.newest(ctx); err != nil {
				return err
			}
		}
		if err := c.update(ctx, r); err != nil {
			return err
		}
		return c.commit(ctx)
	})
}

// Delete removes a row; none is no error.
func (s *Store) Delete(ctx context.Context, id string) error {
	if err := checkID(id); err != nil {
		return err
	}
	return s.session(ctx, func(ctx context.Context, c *connection) error {
		if err := c.begin(ctx); err != nil {
			return err
		}
		if _, err := c.Exec(ctx, "delete from "+table+" where id = $1", id); err != nil {
			return err
		}
		return c.commit(ctx)
	})
}

// MaySignIn is nil where the database role of this machine may add and remove sign-ins.
func (s *Store) MaySignIn(ctx context.Context) error {
	if _, err := readKeys(s.o.KeyFile); err != nil {
		return err
	}
	return s.session(ctx, func(ctx context.Context, c *connection) error {
		var may bool
		err := c.QueryRow(ctx, "select has_table_privilege($1, 'insert') and has_table_privilege($1, 'delete')", table).Scan(&may)
		if err == nil && !may {
			err = credential.Fail(credential.Misconfigured, "the database role of this machine may use the sign-ins of the fleet, not make or end them", nil)
		}
		return err
	})
}

// now is a function of the database, whose clock all machines share.
const now = "clock_timestamp()"

// age of a mark that another machine has left; zero for none.
func age(seconds *float64) time.Duration {
	if seconds == nil {
		return 0
	}
	return max(time.Duration(*seconds*float64(time.Second)), time.Millisecond)
}

// checkID holds an identifier to 1 to 64 of a-z, 0-9, '-' and '_'.
func checkID(id string) error {
	for _, r := range id {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' {
			id = ""
		}
	}
	if id == "" || len(id) > 64 {
		return credential.Fail(credential.Internal, "the identifier of a sign-in is malformed", nil)
	}
	return nil
}
