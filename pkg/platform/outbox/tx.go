package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/gorm"

	"github.com/taskwire/taskwire/pkg/platform/tracecontext"
)

// Tx is a transaction that can add events. It is not safe for concurrent use. It ends when InTx's function returns.
type Tx struct {
	*gorm.DB
	msgs     []Message
	err      error // of the first bad message
	deferred []statement
}

type statement struct {
	sql  string
	args []any
}

// Add buffers an event. The buffer is written at the end of the transaction, in the order of the calls. A message that
// lacks a field fails the transaction. An empty TraceParent becomes that of InTx's context.
func (tx *Tx) Add(m Message) {
	if tx.err == nil {
		tx.err = m.check()
	}
	tx.msgs = append(tx.msgs, m)
}

// Defer keeps a statement ($1, $2, …) for the end of the transaction. The deferred statements, in the order of the
// calls, then the events and the COMMIT are sent in one round trip. No other statement of the transaction sees the
// effect, and the number of rows is not checked. So it is for a plain INSERT, which writes its row or fails the
// transaction.
func (tx *Tx) Defer(sql string, args ...any) { tx.deferred = append(tx.deferred, statement{sql, args}) }

// First is a statement at the beginning of a transaction. All of them are sent with the BEGIN in one round trip, and each
// sees what was committed when it starts: a statement after one that waited for a lock sees the work of the lock's last
// holder. Read reads its rows; an error of Read rolls back and is returned unchanged.
type First struct {
	SQL  string // $1, $2, …
	Args []any
	Read func(pgx.Rows) error
}

// InTx runs fn in a transaction, writes the events that fn added, commits, and wakes the relay. It returns the error of
// fn, of a write or of the commit, and then nothing is committed. The exception is a connection that is lost during the
// commit: the transaction may have committed, so the caller must not answer with success, and a repetition must be
// harmless. A panic of fn rolls back and is raised again.
func (o *Outbox) InTx(ctx context.Context, fn func(tx *Tx) error) error {
	return o.InTxFirst(ctx, nil, fn)
}

// InTxFirst is InTx with first statements that cost no round trip of their own.
func (o *Outbox) InTxFirst(ctx context.Context, first []First, fn func(tx *Tx) error) error {
	pool, err := o.db.DB()
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	// The driver checks a connection before the pool uses it again, and drops one whose transaction did not end.
	defer func() { _ = conn.Close() }()
	s := &session{conn, conn}
	committed := false
	defer func() {
		if !committed {
			_ = s.Rollback() // its error would only repeat the returned one
		}
	}()
	if err := s.begin(ctx, first); err != nil {
		return err
	}
	tx := &Tx{DB: o.db.Session(&gorm.Session{NewDB: true, Context: ctx})}
	tx.Statement.ConnPool = s
	if err := fn(tx); err != nil {
		return err
	}
	if tx.err != nil {
		return tx.err
	}
	batch := &pgx.Batch{}
	for _, d := range tx.deferred {
		batch.Queue(d.sql, d.args...)
	}
	mask := tx.queueEvents(ctx, batch)
	if err := s.commit(ctx, batch); err != nil {
		return err
	}
	committed = true
	o.signal(mask)
	return nil
}

// queueEvents adds the INSERTs of the buffered events to batch and returns the mask of their buckets.
func (tx *Tx) queueEvents(ctx context.Context, batch *pgx.Batch) (mask uint64) {
	parent := ""
	if len(tx.msgs) > 0 {
		parent = tracecontext.Parent(ctx)
	}
	for start := 0; start < len(tx.msgs); start += flushRows {
		chunk := tx.msgs[start:min(start+flushRows, len(tx.msgs))]
		c := newColumns(len(chunk))
		for i, m := range chunk {
			if m.TraceParent == "" {
				m.TraceParent = parent
			}
			mask |= c.set(i, m)
		}
		batch.Queue(insertRows, c.args()...)
	}
	return mask
}

// session is one connection with an open transaction. gorm uses it as it would use an *sql.Tx; unlike an *sql.Tx it also
// takes the driver's batches. It hides sql.Conn's BeginTx, with which gorm would begin a second transaction.
type session struct {
	gorm.ConnPool
	conn *sql.Conn
}

var (
	_ gorm.ConnPool    = (*session)(nil)
	_ gorm.TxCommitter = (*session)(nil) // makes gorm use a savepoint for a nested Transaction
)

// errCommitInside is returned to a function that commits the transaction of InTx itself.
var errCommitInside = errors.New("outbox: InTx commits the transaction when its function returns")

// Commit always fails: InTx commits.
func (s *session) Commit() error { return errCommitInside }

// Rollback ends the transaction without effect. It has a time limit of its own and not InTx's context, which may have
// ended: without the rollback the connection cannot be used again.
func (s *session) Rollback() error {
	return s.do(func(conn *pgx.Conn) error {
		if conn.IsClosed() || conn.PgConn().TxStatus() == 'I' {
			return nil
		}
		ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
		defer cancel()
		_, err := conn.Exec(ctx, "ROLLBACK")
		return err
	})
}

func (s *session) do(f func(*pgx.Conn) error) error {
	return s.conn.Raw(func(driver any) error {
		conn, ok := driver.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("outbox: the driver is %T, not pgx", driver)
		}
		return f(conn.Conn())
	})
}

func (s *session) begin(ctx context.Context, first []First) error {
	return s.do(func(conn *pgx.Conn) error {
		if len(first) == 0 {
			if _, err := conn.Exec(ctx, "BEGIN"); err != nil {
				return fmt.Errorf("begin: %w", err)
			}
			return nil
		}
		batch := &pgx.Batch{}
		batch.Queue("BEGIN")
		for _, f := range first {
			batch.Queue(f.SQL, f.Args...)
		}
		results := conn.SendBatch(ctx, batch)
		if _, err := results.Exec(); err != nil {
			_ = results.Close() // returns the same error
			return fmt.Errorf("begin: %w", err)
		}
		var err error
		for _, f := range first {
			if err = readFirst(results, f); err != nil {
				break
			}
		}
		if closing := results.Close(); err == nil && closing != nil {
			err = fmt.Errorf("begin: %w", closing)
		}
		return err
	})
}

// readFirst reads the rows of a statement. It prefers the server's error to that of Read, which may have taken the error
// for the end of the rows.
func readFirst(results pgx.BatchResults, f First) error {
	rows, _ := results.Query() // rows.Err returns its error too
	err := f.Read(rows)
	rows.Close()
	if failed := rows.Err(); failed != nil {
		return fmt.Errorf("begin: %w", failed)
	}
	return err
}

// commit sends the last writes and the COMMIT in one round trip. After a failure the server skips the statements that
// follow it.
func (s *session) commit(ctx context.Context, batch *pgx.Batch) error {
	writes := batch.Len()
	batch.Queue("COMMIT")
	return s.do(func(conn *pgx.Conn) error {
		results := conn.SendBatch(ctx, batch)
		for n := range writes {
			if _, err := results.Exec(); err != nil {
				_ = results.Close() // returns the same error
				return fmt.Errorf("write %d of %d before the commit: %w", n+1, writes, err)
			}
		}
		tag, err := results.Exec()
		if closing := results.Close(); err == nil {
			err = closing
		}
		if err == nil && tag.String() != "COMMIT" { // the server answers ROLLBACK, without an error, for a failed transaction
			err = pgx.ErrTxCommitRollback
		}
		if err != nil {
			return fmt.Errorf("commit: %w", err)
		}
		return nil
	})
}
