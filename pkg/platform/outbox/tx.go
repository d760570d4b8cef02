package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/gorm"
)

// Tx is a transaction that can add events. It is not safe for concurrent use, and ends when InTx's function returns.
type Tx struct {
	*gorm.DB
	msgs []Message
	err  error // of the first bad message
	last []statement
}

type statement struct {
	sql  string
	args []any
}

// Add buffers an event. The buffer is written in one statement at the end of the transaction, in the order of the
// calls. A message that lacks a field fails the transaction. An empty TraceParent takes the trace of InTx's context.
func (tx *Tx) Add(m Message) {
	if tx.err == nil {
		tx.err = m.check()
	}
	tx.msgs = append(tx.msgs, m)
}

// Last keeps a statement ($1, $2, …) for the end of the transaction. It travels with the events and the COMMIT in one
// round trip, before them and in the order of the calls. Nothing that runs in the transaction sees its effect, and
// nobody counts its rows: it is for a plain INSERT, which either writes its row or fails the transaction.
func (tx *Tx) Last(sql string, args ...any) { tx.last = append(tx.last, statement{sql, args}) }

// First is a statement at the beginning of a transaction. All of them travel with the BEGIN in one round trip, and each
// sees what was committed when it starts: a statement after one that waited for a lock sees the work of the lock's last
// holder. Read reads its rows; an error of Read rolls back and is returned as it is.
type First struct {
	SQL  string // $1, $2, …
	Args []any
	Read func(pgx.Rows) error
}

// InTx runs fn in a transaction, writes the events it added, commits, and wakes the relay. An error of fn, of the
// write or of the commit is returned and nothing is committed; but where the connection is lost during the commit,
// nobody knows: the caller must not answer with success, and a repetition must be harmless. A panic of fn rolls back
// and goes on.
func (o *Outbox) InTx(ctx context.Context, fn func(tx *Tx) error) error {
	return o.InTxFirst(ctx, nil, fn)
}

// InTxFirst is InTx that begins with statements.
func (o *Outbox) InTxFirst(ctx context.Context, first []First, fn func(tx *Tx) error) error {
	pool, err := o.db.DB()
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	// A connection whose transaction did not end is not used again: the driver looks when the pool takes it back out.
	defer func() { _ = conn.Close() }()
	s := &session{conn, conn}
	committed := false
	defer func() {
		if !committed {
			_ = s.Rollback() // its error would only repeat the one that is returned
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
	for _, l := range tx.last {
		batch.Queue(l.sql, l.args...)
	}
	mask := tx.queueEvents(ctx, batch)
	if err := s.commit(ctx, batch); err != nil {
		return err
	}
	committed = true
	o.signal(mask)
	return nil
}

// queueEvents adds the INSERTs of the buffered events and returns the mask of their buckets.
func (tx *Tx) queueEvents(ctx context.Context, batch *pgx.Batch) (mask uint64) {
	parent := ""
	if len(tx.msgs) > 0 {
		parent = traceParent(ctx)
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

// session is one connection with an open transaction. For gorm it is what *sql.Tx would be, but the driver's batches
// reach it too. It hides sql.Conn's BeginTx, with which gorm would begin a second one.
type session struct {
	gorm.ConnPool
	conn *sql.Conn
}

var (
	_ gorm.ConnPool    = (*session)(nil)
	_ gorm.TxCommitter = (*session)(nil) // gorm makes a nested Transaction a savepoint
)

// errEnded tells a function that ends its transaction itself that this is not its to do.
var errEnded = errors.New("outbox: the transaction ends with InTx's function")

// Commit is not for fn to call.
func (s *session) Commit() error { return errEnded }

// Rollback ends the transaction without effect. It does not wait for a context that has ended: the connection is of
// no use before.
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
			_ = results.Close() // repeats it
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

// readFirst reads the rows of a statement. The server's error goes before that of Read, which may have taken the error
// for the end of the rows.
func readFirst(results pgx.BatchResults, f First) error {
	rows, _ := results.Query() // its error is that of the rows
	err := f.Read(rows)
	rows.Close()
	if failed := rows.Err(); failed != nil {
		return fmt.Errorf("begin: %w", failed)
	}
	return err
}

// commit sends what is left to write and the COMMIT at once: after a failure the server takes none of what follows it.
func (s *session) commit(ctx context.Context, batch *pgx.Batch) error {
	writes := batch.Len()
	batch.Queue("COMMIT")
	return s.do(func(conn *pgx.Conn) error {
		results := conn.SendBatch(ctx, batch)
		for n := range writes {
			if _, err := results.Exec(); err != nil {
				_ = results.Close() // repeats it
				return fmt.Errorf("write %d of %d before the commit: %w", n+1, writes, err)
			}
		}
		tag, err := results.Exec()
		if closing := results.Close(); err == nil {
			err = closing
		}
		if err == nil && tag.String() != "COMMIT" { // a failed transaction answers ROLLBACK, without an error
			err = pgx.ErrTxCommitRollback
		}
		if err != nil {
			return fmt.Errorf("commit: %w", err)
		}
		return nil
	})
}
