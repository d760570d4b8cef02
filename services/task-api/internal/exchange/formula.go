package exchange

import "strings"

// A formula in a spreadsheet can load data and run programs, and the text of a task may come from another person, so no cell of an
// export may be a formula (OWASP, CSV Injection). OWASP also warns that a separator and quotation marks inside a cell can begin a new
// cell: where the list separator is a semicolon, a spreadsheet opens a file with commas so that each semicolon and each line break
// in a text begins a cell, and the quotation marks around the text mean nothing.
const (
	// formulas has the characters with which a formula begins. Some spreadsheets treat the full-width characters like the usual ones.
	formulas = "=+-@＝＋－＠"
	// blanks at the beginning of a cell may be dropped before the rest is read.
	blanks = "\t\r\n"
	// breaks has the characters inside a cell after which a program may begin another cell.
	breaks = ";\t\r\n|"
	// apostrophe at the beginning of a cell tells a spreadsheet that the rest is text.
	apostrophe = "'"
)

// escapeFormula returns a cell that no spreadsheet treats as a formula: with an apostrophe before each place where one could begin.
// unescapeFormula reverses it for every text: a text that already looks escaped gets another apostrophe.
func escapeFormula(cell string) string {
	var b strings.Builder
	for i := range len(cell) {
		if startsCell(cell, i) && looksLikeFormula(cell[i:], i == 0) {
			b.WriteString(apostrophe)
		}
		b.WriteByte(cell[i])
	}
	return b.String()
}

// unescapeFormula returns the cell as it was before escapeFormula. It keeps an apostrophe that the user wrote.
func unescapeFormula(cell string) string {
	var b strings.Builder
	for from := 0; from < len(cell); from++ {
		if strings.HasPrefix(cell[from:], apostrophe) && startsCell(cell, from) && looksLikeFormula(cell[from+1:], from == 0) {
			from++ // something follows it
		}
		b.WriteByte(cell[from])
	}
	return b.String()
}

// startsCell reports whether a program may begin a cell at the index.
func startsCell(cell string, i int) bool {
	return i == 0 || strings.IndexByte(breaks, cell[i-1]) >= 0
}

// looksLikeFormula reports whether a text is a formula at the beginning of a cell, also after quotation marks or apostrophes.
func looksLikeFormula(text string, first bool) bool {
	rest := strings.TrimLeft(text, `'"`)
	return strings.IndexAny(rest, formulas) == 0 || first && strings.IndexAny(rest, blanks) == 0
}
