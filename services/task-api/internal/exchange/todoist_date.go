package exchange

import (
	"fmt"

	"github.com/taskwire/taskwire/pkg/recurrence"
)

// date reads DATE: a day, a time, or a recurrence, in the language DATE_LANG. If the text is not understood, the task is imported
// without a date, and the text stays in the description.
func (r *todoistRow) date() {
	text := r.trimmed("DATE")
	if text == "" {
		return
	}
	p, err := recurrence.ParseText(text, recurrence.TextOptions{Zone: r.zone, Now: r.t.now, Language: r.trimmed("DATE_LANG")})
	if err != nil {
		r.item.note("DATE", fmt.Sprintf("%.100q %s: imported without a due date", text, err))
		r.item.kept = append(r.item.kept, "DATE: "+text)
		return
	}
	for _, note := range p.Notes {
		r.item.note("DATE", fmt.Sprintf("%.100q %s", text, note))
	}
	switch {
	case p.Date == "":
		return
	case p.Relative && p.Recurs() && !p.Starts:
		r.item.note("DATE", fmt.Sprintf("%.100q names no first day: it is counted from the day of the import, and first due on %s", text, p.Date))
	case p.Relative:
		r.item.note("DATE", fmt.Sprintf("%.100q is counted from the day of the import: due on %s", text, p.Date))
	}
	if p.HasClock {
		r.item.set("due_at", instant(p.At))
		if recurrence.Clock(p.At, r.zone) != p.Clock { // the clocks skip it
			r.item.Clocks.Due = &p.Clock
		}
	} else {
		r.item.set("due_date", p.Date)
	}
	if p.Recurs() {
		r.item.recur(p.RRule, string(p.Anchor))
	}
}
