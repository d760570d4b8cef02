package exchange_test

// notYetTodoist has the cases of this format that are not right yet.
var notYetTodoist = []string{}
