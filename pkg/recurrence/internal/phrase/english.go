package phrase

// English is the language that is understood in every row.
const English = "en"

const englishTable = `
every: every, ev, each
other: other
hour: hour, hours, hr, hrs, minute, minutes, min, mins
day: day, days
week: week, weeks, wk, wks
month: month, months
quarter: quarter, quarters
year: year, years, yr, yrs
daily: daily
weekly: weekly
fortnightly: fortnightly
monthly: monthly
quarterly: quarterly
yearly: yearly, annually
workday: weekday, workday, business day, working day
workdays: weekdays, workdays, business days, working days
weekend: weekend
weekends: weekends
monday: monday, mon
mondays: mondays
tuesday: tuesday, tues, tue
tuesdays: tuesdays
wednesday: wednesday, weds, wed
wednesdays: wednesdays
thursday: thursday, thurs, thur, thu
thursdays: thursdays
friday: friday, fri
fridays: fridays
saturday: saturday, sat
saturdays: saturdays
sunday: sunday, sun
sundays: sundays
january: january, jan
february: february, feb
march: march, mar
april: april, apr
may: may
june: june, jun
july: july, jul
august: august, aug
september: september, sept, sep
october: october, oct
november: november, nov
december: december, dec
first: first
second: second
third: third
fourth: fourth
fifth: fifth
last: last
one: one, a, an
two: two
three: three
four: four
five: five
six: six
seven: seven
eight: eight
nine: nine
ten: ten
twelve: twelve
filler: on, the, of
and: and
to: to, through
at: at
starting: starting, starting on, starting from, starting at, beginning, beginning on, from, since
until: until, till, til, ending, ending on
during: for
times: times, occurrences
today: today, tod
tomorrow: tomorrow, tom, tmrw, tmr
overmorrow: day after tomorrow, the day after tomorrow
yesterday: yesterday
next: next
this: this
in: in
ago: ago
after: after
noon: noon, midday
midnight: midnight
morning: morning
afternoon: afternoon
evening: evening
night: night
no date: no date, no due date
month end: end of month, end of the month, eom
middle: mid, middle of
o'clock: o'clock, oclock
am: am, a.m
pm: pm, p.m
of month: of the month, of each month, of every month, of month
`
