package exchange_test

// notYetTaskwarrior has the cases of this format that are not right yet.
var notYetTaskwarrior = []string{}
