package exchange_test

// notYetICS has the cases of this format that are not right yet.
var notYetICS = []string{
	"ics-rules.ics: r15",
	"ics-rules.ics: r16",
}
