// Package recurrence computes the next occurrence of a recurring task. It parses the subset of RFC 5545 rules that tasks may
// have, and reads a rule in the wall-clock time of a time zone.
//
// Promises:
//
//   - Parse accepts DAILY, WEEKLY, MONTHLY and YEARLY rules with INTERVAL, COUNT, UNTIL, WKST, BYMONTH, BYMONTHDAY,
//     BYYEARDAY, BYDAY and BYSETPOS. It refuses everything else with an *Error that names the part and the reason.
//   - Every call takes a bounded number of steps, below 10 ms of CPU. A search jumps over periods that cannot match. It ends
//     where the calendar repeats for the rule: see walk. Libraries search until the year 9999.
//   - A rule is expanded over calendar dates without a zone. Only then is the date combined with the time of day in the
//     zone. So the time of day stays the same across daylight-saving changes. A time that the clocks skip moves later by
//     the gap, and the following occurrences have the meant time again. Of a time that occurs twice, the first is used.
//   - The result depends only on the arguments: two replicas compute the same successor.
//
// How a rule is read:
//
//   - It counts from the task's start where there is one (RFC 5545: DTSTART), else from the due date. Start, due date and
//     reminder of an occurrence keep their distances in calendar days and their times of day.
//   - An omitted part takes its value from the day from which the rule is counted, as RFC 5545 takes it from DTSTART: the
//     weekday of a WEEKLY rule, the day of a MONTHLY rule, month and day of a YEARLY rule.
//   - A month without the day is skipped: FREQ=MONTHLY from 31 January continues on 31 March. BYMONTHDAY=-1 means the last
//     day.
//   - The task is the first occurrence, even if the rule does not name its day.
//   - exdates are days of the rule that are left out. COUNT counts them, as RFC 5545 says, and it counts the occurrences that
//     were passed over because they were over: State has the number of a task within its rule.
//   - UNTIL is inclusive. A date means all of that day in the zone.
//   - CheckOccurs refuses a rule that has no date after the task's. A rule may end with its task: Ends reports it.
//
// What follows a completed task:
//
//   - Anchor "schedule": the first occurrence that is not over at the completion. A day is over when the next one begins in the
//     zone, an instant when it has come. An occurrence is over when its due date is, or its start if it has no due date. With catch_up
//     "all" it is the next occurrence, over or not.
//   - Anchor "completion", and the rule names no days: the interval counts from the day of completion. There is no series of
//     days to keep, so a shorter month has its last day: a month after 31 January is 28 February.
//   - Anchor "completion", and the rule names days (or months of a year): with INTERVAL=1, the first of them after the day of
//     completion. With a longer interval, one that remains in the period (week, month or year) of both the task and its
//     completion; else the first in the n-th period after that of the completion.
//   - The next day is always later than the day from which the task's rule counts, and with anchor "completion" later than the
//     day of completion.
//
// ParseText reads a rule from words.
package recurrence
