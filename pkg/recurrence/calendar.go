package recurrence

import "time"

// date is a calendar date without a zone, as the number of days since 1 January 1970 in the Gregorian calendar.
type date int

const secondsOfDay = 24 * 60 * 60

// lastYear is the last year that RFC 3339, and so an event, can express.
const lastYear = 9999

var lastDate = newDate(lastYear, time.December, 31)

// newDate returns a date. As with time.Date, the month and the day may lie outside of their usual ranges.
func newDate(year int, month time.Month, day int) date {
	return date(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / secondsOfDay)
}

// parseDate reads YYYY-MM-DD.
func parseDate(s string) (date, bool) {
	t, err := time.Parse(time.DateOnly, s)
	return dayOf(t), err == nil
}

// midnight returns the start of the day, as a wall-clock time without a zone.
func (d date) midnight() time.Time { return time.Unix(int64(d)*secondsOfDay, 0).UTC() }

func (d date) split() (int, time.Month, int) { return d.midnight().Date() }

func (d date) String() string { return d.midnight().Format(time.DateOnly) }

// weekday counts from Thursday, 1 January 1970.
func (d date) weekday() time.Weekday { return time.Weekday(modulo(int(d)+int(time.Thursday), 7)) }

// daysInMonth returns the number of days of a month.
func daysInMonth(year int, month time.Month) int {
	switch month {
	case time.February:
		return daysInYear(year) - 337
	case time.April, time.June, time.September, time.November:
		return 30
	default:
		return 31
	}
}

func daysInYear(year int) int {
	if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
		return 366
	}
	return 365
}

// modulo returns the remainder of n / m that is not negative.
func modulo(n, m int) int { return ((n % m) + m) % m }

// floorDiv returns n / m, rounded down.
func floorDiv(n, m int) int { return (n - modulo(n, m)) / m }
