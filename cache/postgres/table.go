package postgres

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mcp-credential/mcp-credential/credential"
)

// table is its name, in the schema that the role's search_path begins with.
const table = "mcp_credential_signins"

// schema makes it. What a machine writes when it refreshes is in columns of its own, so that a role can be held to them.
const schema = "create table if not exists " + table + ` (
	id             text primary key,
	servers        text[]      not null default '{}', -- URLs; the sealed record is what counts
	generation     bigint      not null,              -- of the grant
	key_id         text        not null,              -- which key of the fleet has sealed this row
	sealed_grant   bytea       not null,
	sealed_record  bytea       not null,
	sealed_tokens  bytea       not null,
	token_expiry   timestamptz,
	spender        text,                              -- the machine that has begun to spend the refresh token and not ended
	spending_since timestamptz,
	updated_at     timestamptz not null default now()
)`

// Init makes the table where it is not there yet.
func (s *Store) Init(ctx context.Context) error {
	return s.session(ctx, func(ctx context.Context, c *connection) error {
		_, err := c.Exec(ctx, schema)
		return err
	})
}

// row is a sign-in as it was read.
type row struct {
	item       credential.Shared
	generation int64
	key        *key // that has sealed it; nil: none of ours
	spender    string
	since      time.Duration // how long ago that machine began
}

// row reads a sign-in. lock: no other machine reads it with lock until this transaction ends. Of a row that does not open, the
// generation is returned with the error.
func (c *connection) row(ctx context.Context, id string, lock bool) (row, error) {
	query := "select servers, generation, key_id, sealed_grant, sealed_record, sealed_tokens, token_expiry, coalesce(spender, ''), extract(epoch from " +
		now + " - spending_since)::float8 from " + table + " where id = $1"
	if lock {
		query += " for update"
	}
	r := row{item: credential.Shared{ID: id}}
	var keyID string
	var grant, record, tokens []byte
	var expiry *time.Time
	var since *float64
	err := c.QueryRow(ctx, query, id).Scan(&r.item.Servers, &r.generation, &keyID, &grant, &record, &tokens, &expiry, &r.spender, &since)
	if errors.Is(err, pgx.ErrNoRows) {
		return r, credential.ErrNoItem
	}
	if err != nil {
		return r, err
	}
	if expiry != nil {
		r.item.Expiry = *expiry
	}
	r.since = age(since)
	if r.key = c.keys.find(keyID); r.key == nil {
		return r, damaged(id)
	}
	for _, column := range []struct {
		name   string
		sealed []byte
		into   *[]byte
	}{{"grant", grant, &r.item.Grant}, {"record", record, &r.item.Record}, {"tokens", tokens, &r.item.Tokens}} {
		if *column.into, err = r.key.open(column.name, id, r.generation, column.sealed); err != nil {
			return r, err
		}
	}
	return r, nil
}

// update writes what every machine may write, and ends what a spender has begun.
func (c *connection) update(ctx context.Context, r row) error {
	i := r.item
	_, err := c.Exec(ctx, "update "+table+` set generation = $2, key_id = $3, sealed_grant = $4, sealed_record = $5, sealed_tokens = $6,
		token_expiry = $7, spender = null, spending_since = null, updated_at = now() where id = $1`,
		i.ID, r.generation, r.key.id, r.key.seal("grant", i.ID, r.generation, i.Grant), r.key.seal("record", i.ID, r.generation, i.Record),
		r.key.seal("tokens", i.ID, r.generation, i.Tokens), expiry(i.Expiry))
	return err
}

func expiry(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// insert adds a row with a grant.
func (c *connection) insert(ctx context.Context, id string, grant []byte) error {
	k, err := c.newest(ctx)
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, "insert into "+table+" (id, generation, key_id, sealed_grant, sealed_record, sealed_tokens) values ($1, 1, $2, $3, $4, $5)",
		id, k.id, k.seal("grant", id, 1, grant), k.seal("record", id, 1, nil), k.seal("tokens", id, 1, nil))
	return err
}

// newest is the key for a new row: the newest that has sealed one already, since then every machine has it; else the oldest.
func (c *connection) newest(ctx context.Context) (*key, error) {
	rows, err := c.Query(ctx, "select distinct key_id from "+table)
	if err != nil {
		return nil, err
	}
	used, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	best := 0
	for _, id := range used {
		for i := range c.keys {
			if c.keys[i].id == id {
				best = max(best, i)
			}
		}
	}
	return &c.keys[best], nil
}

// begin starts a transaction: at most patience for a lock, a minute between two statements, and commits that are on the disk.
func (c *connection) begin(ctx context.Context) error {
	_, err := c.Exec(ctx, "begin isolation level read committed read write"+
		"; set local lock_timeout = "+milliseconds(patience)+
		"; set local idle_in_transaction_session_timeout = "+milliseconds(credential.RefreshTotal)+
		"; set local synchronous_commit = on")
	return err
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// commit ends the transaction. An error leaves open whether it has happened.
func (c *connection) commit(ctx context.Context) error {
	tag, err := c.Exec(ctx, "commit")
	if err == nil && tag.String() != "COMMIT" {
		err = errors.New("the transaction was rolled back")
	}
	return err
}

// Rekey seals every row under the newest key. It returns how many rows had another one.
func (s *Store) Rekey(ctx context.Context) (n int, err error) {
	err = s.session(ctx, func(ctx context.Context, c *connection) error {
		target := &c.keys[len(c.keys)-1]
		rows, err := c.Query(ctx, "select id from "+table+" where key_id <> $1 order by id", target.id)
		if err != nil {
			return err
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		for _, id := range ids {
			done, err := c.rekey(ctx, id, target)
			if err != nil {
				return err
			}
			if done {
				n++
			}
		}
		return nil
	})
	return n, err
}

// rekey seals one row under target, without ending what a spender has begun: its lock is waited for.
func (c *connection) rekey(ctx context.Context, id string, target *key) (bool, error) {
	if err := c.begin(ctx); err != nil {
		return false, err
	}
	r, err := c.row(ctx, id, true)
	if errors.Is(err, credential.ErrNoItem) {
		return false, c.commit(ctx)
	}
	if err != nil {
		return false, err
	}
	i := r.item
	_, err = c.Exec(ctx, "update "+table+" set key_id = $2, sealed_grant = $3, sealed_record = $4, sealed_tokens = $5 where id = $1", id, target.id,
		target.seal("grant", id, r.generation, i.Grant), target.seal("record", id, r.generation, i.Record), target.seal("tokens", id, r.generation, i.Tokens))
	if err != nil {
		return false, err
	}
	return true, c.commit(ctx)
}
