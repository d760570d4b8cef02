// Package recurrence computes the next occurrence of a recurring task. It parses the subset of RFC 5545 rules that tasks may
// have, and reads a rule in the wall-clock time of a time zone.
//
// Promises:
//
//   - Parse accepts DAILY, WEEKLY, MONTHLY and YEARLY rules with INTERVAL, COUNT, UNTIL, WKST, BYMONTH, BYMONTHDAY,
//     BYYEARDAY, BYDAY and BYSETPOS. It refuses everything else with an *Error that names the part and the reason.
//   - Every call returns in bounded time. The calendar repeats after 400 years. If 400 years' worth of periods have no
//     occurrence, there is none (see cycle). Libraries search until the year 9999.
//   - A rule is expanded over calendar dates without a zone. Only then is the date combined with the time of day in the
//     zone. So the time of day stays the same across daylight-saving changes. A time that the clocks skip moves later by
//     the gap. Of a time that occurs twice, the first is used.
//   - The result depends only on the arguments: two replicas compute the same successor.
//
// How a rule is read:
//
//   - Anchor "schedule" counts from the due date of the completed occurrence, even if it was completed late. Anchor
//     "completion" counts from the day of completion in the zone. Both keep the time of day of the due date.
//   - An omitted part takes its value from the day from which the rule is counted, as RFC 5545 takes it from DTSTART: the
//     weekday of a WEEKLY rule, the day of a MONTHLY rule, month and day of a YEARLY rule.
//   - A month without the day is skipped: FREQ=MONTHLY from 31 January continues on 31 March. BYMONTHDAY=-1 means the last
//     day. With anchor "completion" there is no series of dates to keep, so the last day of the month is used instead:
//     a month after 31 January is 28 February.
//   - COUNT counts the occurrences of the series by their occurrence numbers, including the first task.
//   - UNTIL is inclusive. A date means all of that day in the zone.
package recurrence
