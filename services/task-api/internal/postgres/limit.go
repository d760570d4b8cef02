package postgres

import (
	"strconv"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// limit is a LIMIT that is written into the statement as a number. gorm's own LIMIT is a parameter. On a large table,
// Postgres then plans each execution again, because a generic plan for any limit would be much worse. Lists have only a
// few page sizes, so there are few statements.
type limit int

func limited(tx *gorm.DB, n int) *gorm.DB { return tx.Clauses(limit(n)) }

// Name implements clause.Interface.
func (limit) Name() string { return "LIMIT" }

// Build implements clause.Expression.
func (n limit) Build(b clause.Builder) {
	_, _ = b.WriteString("LIMIT " + strconv.Itoa(int(n))) // writing to a strings.Builder returns no error
}

// MergeClause implements clause.Interface.
func (n limit) MergeClause(c *clause.Clause) { c.Name, c.Expression = "", n }
