package exchange

import "strings"

// formulas are the characters at which a spreadsheet takes a cell for a formula, which may fetch and run things: a task
// that came from somebody else must not do that to whoever opens the export (OWASP, CSV Injection). A tab or line break at
// the beginning may be dropped, and then what follows counts; some take the full-width forms for the usual ones.
const formulas = "=+-@\t\r\n＝＋－＠"

// literal at the beginning of a cell tells a spreadsheet that the rest is text.
const literal = "'"

// defused is a cell that no spreadsheet takes for a formula. restored takes it back, of every text there is: a text that
// looks like a defused one gets a literal of its own.
func defused(cell string) string {
	if rest, ok := strings.CutPrefix(cell, literal); strings.IndexAny(cell, formulas) == 0 || ok && looksDefused(rest) {
		return literal + cell
	}
	return cell
}

// restored is the cell as it was before defused. An apostrophe before anything else is one that somebody wrote.
func restored(cell string) string {
	if rest, ok := strings.CutPrefix(cell, literal); ok && looksDefused(rest) {
		return rest
	}
	return cell
}

func looksDefused(rest string) bool { return strings.IndexAny(rest, formulas+literal) == 0 }
