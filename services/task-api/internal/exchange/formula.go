package exchange

import "strings"

// formulas has the characters with which a formula begins in a spreadsheet. A formula can load data and run programs, and the
// text of a task may come from another person, so no cell of an export may be a formula (OWASP, CSV Injection). A spreadsheet
// may drop a tab or line break at the beginning. Some treat the full-width characters like the usual ones.
const formulas = "=+-@\t\r\n＝＋－＠"

// apostrophe at the beginning of a cell tells a spreadsheet that the rest is text.
const apostrophe = "'"

// escapeFormula returns a cell that no spreadsheet treats as a formula. unescapeFormula reverses it for every text: a text that
// already looks escaped gets another apostrophe.
func escapeFormula(cell string) string {
	if rest, ok := strings.CutPrefix(cell, apostrophe); strings.IndexAny(cell, formulas) == 0 || ok && looksEscaped(rest) {
		return apostrophe + cell
	}
	return cell
}

// unescapeFormula returns the cell as it was before escapeFormula. It keeps an apostrophe that the user wrote.
func unescapeFormula(cell string) string {
	if rest, ok := strings.CutPrefix(cell, apostrophe); ok && looksEscaped(rest) {
		return rest
	}
	return cell
}

func looksEscaped(rest string) bool { return strings.IndexAny(rest, formulas+apostrophe) == 0 }
