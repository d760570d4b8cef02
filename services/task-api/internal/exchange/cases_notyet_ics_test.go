package exchange_test

// notYetICS has the cases of this format that are not right yet.
var notYetICS = []string{}
