package exchange

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// twPeriod is a recurrence of Taskwarrior: a number of days and weeks, or of months, or every weekday.
type twPeriod struct {
	days, weeks, months int
	weekdays            bool
}

// twNames has the names of a period. Those in twUnits may have a number before them.
var (
	twNames = map[string]twPeriod{
		"daily": {days: 1}, "weekdays": {weekdays: true}, "weekly": {weeks: 1}, "biweekly": {weeks: 2}, "fortnight": {weeks: 2},
		"monthly": {months: 1}, "bimonthly": {months: 2}, "quarterly": {months: 3}, "semiannual": {months: 6}, "annual": {months: 12},
		"yearly": {months: 12}, "biannual": {months: 24}, "biyearly": {months: 24},
	}
	twUnits = map[string]twPeriod{
		"d": {days: 1}, "day": {days: 1}, "days": {days: 1},
		"w": {weeks: 1}, "wk": {weeks: 1}, "wks": {weeks: 1}, "week": {weeks: 1}, "weeks": {weeks: 1},
		"m": {months: 1}, "mo": {months: 1}, "mos": {months: 1}, "mth": {months: 1}, "mths": {months: 1}, "mnths": {months: 1}, "month": {months: 1}, "months": {months: 1},
		"q": {months: 3}, "qtr": {months: 3}, "qtrs": {months: 3}, "qrtr": {months: 3}, "qrtrs": {months: 3}, "quarter": {months: 3}, "quarters": {months: 3},
		"y": {months: 12}, "yr": {months: 12}, "yrs": {months: 12}, "year": {months: 12}, "years": {months: 12},
	}
	twCount = regexp.MustCompile(`^(\d{1,4}) ?([a-z]+)$`)
	twISO   = regexp.MustCompile(`^P(?:(\d{1,3})Y)?(?:(\d{1,4})M)?(?:(\d{1,3})W)?(?:(\d{1,4})D)?(?:T0[HMS])?$`)
)

// parseTWPeriod reads a recurrence. It returns false for one that Taskwire has no rule for, as of hours, or of months and days.
func parseTWPeriod(recur string) (p twPeriod, ok bool) {
	recur = strings.ToLower(strings.TrimSpace(recur))
	if p, ok := twNames[recur]; ok {
		return p, true
	}
	if p, ok := twUnits[recur]; ok && len(recur) > 1 {
		return p, true
	}
	if m := twCount.FindStringSubmatch(recur); m != nil {
		unit, ok := twUnits[m[2]]
		n, err := strconv.Atoi(m[1])
		return twPeriod{days: n * unit.days, weeks: n * unit.weeks, months: n * unit.months}, ok && err == nil && n > 0
	}
	m := twISO.FindStringSubmatch(strings.ToUpper(recur))
	if m == nil {
		return p, false
	}
	part := func(i int) int {
		n, err := strconv.Atoi("0" + m[i])
		if err != nil {
			return 0 // the expression has digits only
		}
		return n
	}
	p = twPeriod{months: 12*part(1) + part(2), weeks: part(3), days: part(4)}
	return p, (p.months > 0) != (p.days+p.weeks > 0)
}

// rule returns the rule of the period for a series that begins on a day. Taskwarrior goes to the last day of a shorter month, where
// RFC 5545 leaves the month out.
func (p twPeriod) rule(first time.Time) string {
	every := func(freq string, n int) string {
		if n == 1 {
			return "FREQ=" + freq
		}
		return fmt.Sprintf("FREQ=%s;INTERVAL=%d", freq, n)
	}
	day := first.Day()
	switch {
	case p.weekdays:
		return "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"
	case p.weeks > 0 && p.days == 0:
		return every("WEEKLY", p.weeks)
	case p.months == 0:
		return every("DAILY", 7*p.weeks+p.days)
	case p.months%12 == 0 && (first.Month() != time.February || day < 29):
		return every("YEARLY", p.months/12)
	case p.months%12 == 0:
		return every("YEARLY", p.months/12) + ";BYMONTH=2;BYMONTHDAY=-1"
	case day <= shortestMonth:
		return every("MONTHLY", p.months)
	}
	days := make([]string, 0, 4)
	for d := shortestMonth; d <= day; d++ {
		days = append(days, strconv.Itoa(d))
	}
	return every("MONTHLY", p.months) + ";BYMONTHDAY=" + strings.Join(days, ",") + ";BYSETPOS=-1"
}

// shortestMonth is the number of days that every month has.
const shortestMonth = 28

// after returns the day that comes n periods after first.
func (p twPeriod) after(first time.Time, n int) time.Time {
	switch {
	case p.weekdays && n > 0:
		return weekdaysAfter(first, n)
	case p.months == 0:
		return first.AddDate(0, 0, n*(7*p.weeks+p.days))
	}
	month := time.Date(first.Year(), first.Month()+time.Month(n*p.months), 1, 0, 0, 0, 0, time.UTC)
	last := month.AddDate(0, 1, -1).Day()
	return month.AddDate(0, 0, min(first.Day(), last)-1)
}

// weekdaysAfter returns the n-th weekday after a day.
func weekdaysAfter(day time.Time, n int) time.Time {
	day = day.AddDate(0, 0, n/5*7)
	if day.Weekday() == time.Saturday || day.Weekday() == time.Sunday { // whole weeks count from the Friday before
		back := 1 + int(day.Weekday()+6)%7 - 5
		day = day.AddDate(0, 0, -back)
	}
	for range n % 5 {
		day = day.AddDate(0, 0, 1)
		for day.Weekday() == time.Saturday || day.Weekday() == time.Sunday {
			day = day.AddDate(0, 0, 1)
		}
	}
	return day
}
