package postgres

import (
	"strconv"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// limit is a LIMIT that stands in the statement as a number. gorm's is a parameter, for which Postgres makes a new plan
// each time as soon as the table is large, because a plan for any limit would be so much worse. A list has a few sizes of
// page only.
type limit int

func limited(tx *gorm.DB, n int) *gorm.DB { return tx.Clauses(limit(n)) }

// Name implements clause.Interface.
func (limit) Name() string { return "LIMIT" }

// Build implements clause.Expression.
func (n limit) Build(b clause.Builder) {
	_, _ = b.WriteString("LIMIT " + strconv.Itoa(int(n))) // as gorm's own: the builder is memory
}

// MergeClause implements clause.Interface.
func (n limit) MergeClause(c *clause.Clause) { c.Name, c.Expression = "", n }
