package orders

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// table is one table in terms that each dialect has its own words for.
type table struct {
	name, columns string
	indexes       []index
}

type index struct{ name, columns, where string }

// versions are the steps of the schema. A step that was released never changes.
var versions = [][]table{{
	{"ips_order", `
  order_key KEY96 NOT NULL PRIMARY KEY,
  merchant KEY16 NOT NULL,
  op KEY32 NOT NULL,
  order_no KEY120 NOT NULL,
  click KEY64,
  subject KEY64,
  state KEY16 NOT NULL,
  ver INT8 NOT NULL,
  mark KEY32 NOT NULL,
  lease KEY32 NOT NULL,
  lease_us INT8 NOT NULL,
  due_us INT8 NOT NULL,
  made_us INT8 NOT NULL,
  touched_us INT8 NOT NULL,
  ended_us INT8 NOT NULL,
  sent_us INT8 NOT NULL,
  handed_us INT8 NOT NULL,
  notfound_us INT8 NOT NULL,
  fen INT8 NOT NULL,
  sent INT8 NOT NULL,
  handed INT8 NOT NULL,
  tries INT8 NOT NULL,
  heard INT8 NOT NULL,
  notfound INT8 NOT NULL,
  flags INT8 NOT NULL,
  body BYTES NOT NULL`,
		[]index{{"ips_order_click", "UNIQUE click", ""}, {"ips_order_subject", "UNIQUE subject", ""}, {"ips_order_due", "due_us", "due_us > 0"}, {"ips_order_ended", "ended_us, made_us", ""}}},
	{"ips_answer", `
  order_key KEY96 NOT NULL,
  digest KEY64 NOT NULL,
  says KEY16 NOT NULL,
  way INT8 NOT NULL,
  verdict KEY16 NOT NULL,
  heard_us INT8 NOT NULL,
  body BYTES NOT NULL,
  PRIMARY KEY (order_key, digest)`, nil},
	{"ips_event", `
  order_key KEY96 NOT NULL,
  ver INT8 NOT NULL,
  at_us INT8 NOT NULL,
  what TEXT32 NOT NULL,
  who TEXT100 NOT NULL,
  why TEXT1000 NOT NULL,
  PRIMARY KEY (order_key, ver)`, nil},
	{"ips_matter", `
  matter_key KEY160 NOT NULL PRIMARY KEY,
  order_key KEY96 NOT NULL,
  kind KEY32 NOT NULL,
  opened_us INT8 NOT NULL,
  closed_us INT8 NOT NULL,
  who TEXT100 NOT NULL,
  why TEXT1000 NOT NULL,
  detail BYTES NOT NULL`,
		[]index{{"ips_matter_open", "closed_us, opened_us, matter_key", ""}, {"ips_matter_order", "order_key", ""}}},
	{"ips_carried", `
  order_key KEY96 NOT NULL,
  row_no INT8 NOT NULL,
  carried_to KEY96 NOT NULL,
  PRIMARY KEY (order_key, row_no)`, nil},
	{"ips_stray", `
  order_key KEY96 NOT NULL PRIMARY KEY,
  first_us INT8 NOT NULL,
  last_us INT8 NOT NULL,
  times INT8 NOT NULL,
  says KEY16 NOT NULL`,
		[]index{{"ips_stray_last", "last_us", ""}}},
	{"ips_gone", `
  order_key KEY96 NOT NULL PRIMARY KEY,
  click KEY64,
  state KEY16 NOT NULL,
  made_us INT8 NOT NULL,
  ended_us INT8 NOT NULL,
  fen INT8 NOT NULL`,
		[]index{{"ips_gone_click", "UNIQUE click", ""}}},
}}

// ddl gives the statements of the tables. Keys are compared byte by byte.
func (d Dialect) ddl(tables []table) []string {
	var words *strings.Replacer
	end := ""
	switch d {
	case MySQL:
		words = strings.NewReplacer("KEY160", "VARBINARY(160)", "KEY120", "VARBINARY(120)", "KEY96", "VARBINARY(96)", "KEY64", "VARBINARY(64)",
			"KEY32", "VARBINARY(32)", "KEY16", "VARBINARY(16)", "INT8", "BIGINT", "BYTES", "MEDIUMBLOB",
			"TEXT1000", "VARCHAR(1000)", "TEXT100", "VARCHAR(100)", "TEXT32", "VARCHAR(32)")
		end = " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"
	case PostgreSQL:
		key := `TEXT COLLATE "C"`
		words = strings.NewReplacer("KEY160", key, "KEY120", key, "KEY96", key, "KEY64", key, "KEY32", key, "KEY16", key,
			"INT8", "BIGINT", "BYTES", "BYTEA", "TEXT1000", "TEXT", "TEXT100", "TEXT", "TEXT32", "TEXT")
	default:
		words = strings.NewReplacer("KEY160", "TEXT", "KEY120", "TEXT", "KEY96", "TEXT", "KEY64", "TEXT", "KEY32", "TEXT", "KEY16", "TEXT",
			"INT8", "INTEGER", "BYTES", "BLOB", "TEXT1000", "TEXT", "TEXT100", "TEXT", "TEXT32", "TEXT")
		end = " STRICT"
	}
	var all []string
	for _, t := range tables {
		columns := words.Replace(t.columns)
		var apart []string
		for _, i := range t.indexes {
			on, unique := strings.CutPrefix(i.columns, "UNIQUE ")
			kind := "INDEX"
			if unique {
				kind = "UNIQUE INDEX"
			}
			if d == MySQL { // has no CREATE INDEX IF NOT EXISTS
				columns += fmt.Sprintf(",\n  %s %s (%s)", kind, i.name, on)
				continue
			}
			statement := fmt.Sprintf("CREATE %s IF NOT EXISTS %s ON %s (%s)", kind, i.name, t.name, on)
			if i.where != "" {
				statement += " WHERE " + i.where
			}
			apart = append(apart, statement)
		}
		all = append(all, fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (%s\n)%s", t.name, columns, end))
		all = append(all, apart...)
	}
	return all
}

// Schema is the SQL that makes the book's tables, for goose, Flyway and others
// that run migrations of their own; for the rest there is [Book.Migrate]. Each
// statement can be run again. A column of yours that holds an order's key compares
// byte by byte: VARBINARY(96) in MySQL, TEXT COLLATE "C" in PostgreSQL.
//
// Times are microseconds since 1970 UTC, amounts are fen. To read them:
//
//	SELECT order_key, state, fen/100 AS yuan, FROM_UNIXTIME(made_us/1000000) AS made FROM ips_order  -- MySQL
func Schema(d Dialect) string {
	var all []string
	for _, v := range versions {
		all = append(all, d.ddl(v)...)
	}
	return strings.Join(all, ";\n\n") + ";\n"
}

// Migrate makes the book's tables, or brings them up to date. Any number of
// programs may call it at once.
func (b *Book) Migrate(ctx context.Context) error {
	version := table{"ips_version", "\n  version INT8 NOT NULL PRIMARY KEY", nil}
	step := func(on Tx) error {
		for _, statement := range b.dialect.ddl([]table{version}) {
			if _, err := on.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		var have int
		if err := on.QueryRowContext(ctx, "SELECT COALESCE(MAX(version), 0) FROM ips_version").Scan(&have); err != nil {
			return err
		}
		if have > len(versions) {
			return fmt.Errorf("the tables are of version %d, this program knows %d", have, len(versions))
		}
		for i := have; i < len(versions); i++ {
			for _, statement := range b.dialect.ddl(versions[i]) {
				if _, err := on.ExecContext(ctx, statement); err != nil {
					return err
				}
			}
			_, err := on.ExecContext(ctx, b.query("INSERT INTO ips_version (version) VALUES (?)"), i+1)
			if err != nil && b.classify(err) != Duplicate {
				return err
			}
		}
		return nil
	}
	var err error
	if b.dialect == MySQL { // each statement commits by itself there
		err = step(b.db)
	} else {
		err = b.within(ctx, nil, func(ctx context.Context, tx *sql.Tx) error {
			if b.dialect == PostgreSQL { // CREATE IF NOT EXISTS loses races there
				if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(4280808801)"); err != nil {
					return err
				}
			}
			return step(tx)
		})
	}
	if err != nil {
		return fmt.Errorf("orders: migrate: %w", b.dialect.explain(err))
	}
	return nil
}
