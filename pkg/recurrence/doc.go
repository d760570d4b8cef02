// Package recurrence finds the next occurrence of a recurring task: the subset of RFC 5545 rules that tasks may have,
// and how a rule is read on the wall clock of a zone.
//
// Promises:
//
//   - Parse accepts DAILY, WEEKLY, MONTHLY and YEARLY rules with INTERVAL, COUNT, UNTIL, WKST, BYMONTH, BYMONTHDAY,
//     BYYEARDAY, BYDAY and BYSETPOS. It refuses everything else with an *Error that names the part and says why.
//   - Every call ends, and soon. The calendar repeats after 400 years, so a search that has looked at 400 years' worth
//     of periods and found nothing has proved that there is nothing (see cycle). Libraries search on to the year 9999.
//   - A rule is expanded over calendar dates, which have no zone; only then the date is put on the wall clock of the
//     zone. The time of day stays what it was across daylight-saving changes: a time that the clocks skip moves later
//     by the gap, a time that they show twice is the first of the two.
//   - The result depends on the arguments alone: two replicas compute the same successor.
//
// How a rule is read:
//
//   - Anchor "schedule" counts from the due date of the completed occurrence, however late it was completed; anchor
//     "completion" counts from the day of completion in the zone. Both keep the time of day of the due date.
//   - A part that is left out is taken from the day the rule is counted from, as RFC 5545 takes it from DTSTART: the
//     weekday of a WEEKLY rule, the day of a MONTHLY one, month and day of a YEARLY one. A day that a month does not
//     have is skipped (FREQ=MONTHLY from 31 January goes on at 31 March; BYMONTHDAY=-1 means the last day). With
//     anchor "completion" there is no series of dates to hold to, so there the month's last day is taken instead:
//     a month after 31 January is 28 February.
//   - COUNT counts the occurrences of the series, the first task included, by their occurrence numbers.
//   - UNTIL is inclusive. A day stands for all of that day in the zone.
package recurrence
