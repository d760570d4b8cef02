package httpapi

import (
	"strings"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/testkit/apitest"
)

var zoneNames = []string{"UTC", "Europe/London", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "Australia/Lord_Howe"}

var rules = []string{"FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,TH", "FREQ=MONTHLY;BYMONTHDAY=31", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "FREQ=DAILY;COUNT=3"}

// named makes valid values of the members and parameters whose rules a schema cannot express.
var named = map[string]func(g apitest.Generator) any{
	"timezone": func(g apitest.Generator) any { return apitest.Pick(g, zoneNames) },
	"rrule":    func(g apitest.Generator) any { return apitest.Pick(g, rules) },
	"q": func(g apitest.Generator) any {
		return apitest.Pick(g, []string{"az", "本 é", "a-b 😀", "x", g.Letters(12)})
	},
	"email":      func(g apitest.Generator) any { return strings.ToLower(uuid.NewString()) + "@example.com" },
	"due_before": func(g apitest.Generator) any { return g.Instant() },
	"due_after":  func(g apitest.Generator) any { return g.Instant()[:10] },
	"due": func(g apitest.Generator) any {
		return apitest.Pick(g, []string{"today", "tomorrow", "this_week", "overdue", "2030-01-31", "2030-01-01..2030-01-31", "2030-01-01..", "..2030-01-31"})
	},
	"completed_before": func(g apitest.Generator) any { return g.Instant() },
	"completed_after":  func(g apitest.Generator) any { return g.Instant()[:10] },
	"updated_since":    func(g apitest.Generator) any { return g.Instant() },
	"If-Match": func(g apitest.Generator) any {
		return apitest.Pick(g, []string{"*", `"v1"`, `"v2"`, `"v1", "v2"`, `W/"v1"`})
	},
	"If-None-Match":   func(g apitest.Generator) any { return apitest.Pick(g, []string{"*", `"v1"`, `W/"v1", "v7"`}) },
	"Idempotency-Key": func(g apitest.Generator) any { return uuid.NewString() + apitest.Pick(g, []string{"", ` ~"x`}) },
}
