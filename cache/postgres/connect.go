package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mcp-credential/mcp-credential/credential"
)

// patience is how long a refresh waits for the row of another machine: longer than a token request takes.
const patience = credential.HTTPToken + 5*time.Second

// RetryAfter is when a machine asks again after the database could not be used: at a caller's next question, not before.
const RetryAfter = time.Second

// connection is one connection with the keys for what comes over it.
type connection struct {
	*pgx.Conn
	keys keys
}

// session connects, calls do and closes the connection, which lets go of every lock. Every wait ends.
func (s *Store) session(ctx context.Context, do func(context.Context, *connection) error) error {
	ctx, cancel := context.WithTimeout(ctx, credential.KeychainFile)
	defer cancel()
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer c.end(ctx)
	return explain(do(ctx, c))
}

// connect opens a connection. pgx knows nothing of it but the URL: prepared statements would not survive a pool that gives each
// transaction another server.
func (s *Store) connect(ctx context.Context) (*connection, error) {
	keys, err := readKeys(s.o.KeyFile)
	if err != nil {
		return nil, err
	}
	config, err := s.config()
	if err != nil {
		return nil, err
	}
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, explain(err)
	}
	return &connection{c, keys}, nil
}

// end closes the connection, also where ctx has ended.
func (c *connection) end(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = c.Close(ctx)
}

// modes are the values of sslmode that leave no doubt about what is checked. The first is the default.
var modes = []string{"verify-full", "verify-ca", "disable"}

// config reads the URL. No error repeats any of it.
func (s *Store) config() (*pgx.ConnConfig, error) {
	data, err := privateFile(s.o.URLFile, "postgres_url_file")
	if err != nil {
		return nil, err
	}
	bad := func(text string) error {
		return credential.Fail(credential.Misconfigured, "postgres_url_file: "+text, nil)
	}
	u, err := url.Parse(strings.TrimSpace(string(data)))
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, bad("the file must hold one URL, postgres://USER:PASSWORD@HOST/DATABASE")
	}
	q := u.Query()
	if !q.Has("sslmode") {
		q.Set("sslmode", modes[0])
	}
	if !slices.Contains(modes, q.Get("sslmode")) {
		return nil, bad("sslmode must be one of " + strings.Join(modes, ", ") + "; the others check nothing or not always")
	}
	u.RawQuery = q.Encode()
	config, err := pgx.ParseConfig(u.String())
	if err != nil {
		return nil, bad("the URL is malformed, or a file that it names cannot be read")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = credential.HTTPConnect
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "mcp-credential"
	}
	return config, nil
}

// explain says in our words what went wrong: those of pgx hold the user, the host and the database.
func explain(err error) error {
	var typed *credential.Error
	if err == nil || errors.As(err, &typed) || errors.Is(err, credential.ErrNoItem) {
		return err
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return refused(pg)
	}
	var (
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		invalid  x509.CertificateInvalidError
		verify   *tls.CertificateVerificationError
	)
	if errors.As(err, &unknown) || errors.As(err, &hostname) || errors.As(err, &invalid) || errors.As(err, &verify) {
		return credential.Fail(credential.Untrusted, "the certificate of the fleet's database does not hold on this machine; name its authority with sslrootcert in the URL", nil)
	}
	if strings.Contains(err.Error(), "refused TLS") {
		return credential.Fail(credential.Untrusted, "the fleet's database does not speak TLS; sslmode=disable in the URL says that it need not", nil)
	}
	e := credential.Fail(credential.Network, "the fleet's database cannot be reached", nil)
	if errors.Is(err, context.DeadlineExceeded) {
		e.Text = "the fleet's database does not answer"
	}
	e.RetryAfter = RetryAfter
	return e
}

// refused says what an answer of the database means (PostgreSQL, appendix A).
func refused(pg *pgconn.PgError) error {
	text, kind := "the fleet's database has failed", credential.Network
	switch class := pg.Code[:2]; {
	case pg.Code == "55P03": // lock_not_available
		text, kind = "another machine of the fleet is refreshing", credential.StillRefreshing
	case pg.Code == "42P01" || pg.Code == "42703": // undefined_table, undefined_column
		text, kind = "the fleet's database has no such table; make it with \"mcp-credential fleet init\"", credential.Misconfigured
	case pg.Code == "42501": // insufficient_privilege
		text, kind = "the database role of this machine may not do this; see docs/fleet.md", credential.Misconfigured
	case class == "28" || class == "3D": // invalid_authorization_specification, invalid_catalog_name
		text, kind = "the fleet's database does not accept the user, the password or the database name of postgres_url_file", credential.Misconfigured
	case class == "42" || class == "22" || class == "23":
		kind = credential.Internal
	}
	e := credential.Fail(kind, text+" (SQLSTATE "+pg.Code+")", nil)
	if kind == credential.Network || kind == credential.StillRefreshing {
		e.RetryAfter = RetryAfter
	}
	return e
}
