package exchange

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/taskwire/taskwire/pkg/events"
)

// This file reads what says how far a task is: STATUS, COMPLETED and PERCENT-COMPLETE. It also reads PRIORITY.

var icsStatus = map[string]string{"NEEDS-ACTION": "pending", "IN-PROCESS": "in_progress", "COMPLETED": "completed", "CANCELLED": "cancelled"}

func (t *icsTask) takeState(p property) {
	value := strings.ToUpper(strings.TrimSpace(p.value))
	switch p.name {
	case "STATUS":
		if t.status = icsStatus[value]; t.status == "" {
			t.keep(p, "must be NEEDS-ACTION, IN-PROCESS, COMPLETED or CANCELLED")
		}
	case "PERCENT-COMPLETE":
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > 100 {
			t.keep(p, "must be 0 to 100")
			return
		}
		if t.percent = n; n > 0 && n < 100 {
			t.keep(p, "is not imported: a task has no percentage")
		}
	case "PRIORITY":
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > 9 {
			t.keep(p, "must be 0 to 9: the priority is medium")
			return
		}
		// Nine priorities become four: 1 urgent, 2 to 4 high, 5 and 0 (none) medium, 6 to 9 low.
		t.item.set("priority", []string{"medium", "urgent", "high", "high", "high", "medium", "low", "low", "low", "low"}[n])
	}
}

// setState sets the status. STATUS decides; without it, COMPLETED and PERCENT-COMPLETE do (RFC 5545, sections 3.8.1.8 and 3.8.2.1).
func (t *icsTask) setState() {
	status := t.status
	if status == "" {
		switch {
		case t.completed != nil || t.percent == 100:
			status = string(events.StatusCompleted)
		case t.percent > 0:
			status = string(events.StatusInProgress)
		}
	}
	if status != "" {
		t.item.set("status", status)
	}
	done := status == string(events.StatusCompleted)
	if t.percent == 100 && !done {
		t.noteLine(t.item.Line, "PERCENT-COMPLETE", fmt.Sprintf("is 100, but STATUS says %s: STATUS counts", status))
	}
	switch {
	case t.completed == nil:
	case done:
		t.item.CompletedAt = t.completedAt
	default:
		t.keep(*t.completed, "is not imported: STATUS says that the task is not completed")
	}
}
