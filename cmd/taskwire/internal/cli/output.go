package cli

import (
	"encoding/json"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// This file has how results are printed: JSON for programs, and text that is safe on a terminal.

// reasonWidth keeps a line of a list on a terminal. The show commands print the whole reason.
const reasonWidth = 60

func printJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// wantsColour reports whether to print colours on w (https://no-color.org).
func wantsColour(w io.Writer) bool {
	return isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// oneLine returns the first words of s, without control characters.
func oneLine(s string) string {
	words := []rune(strings.Join(strings.Fields(printable(s)), " "))
	if len(words) > reasonWidth {
		return string(words[:reasonWidth-1]) + "…"
	}
	return string(words)
}

// printable replaces the control characters of s, which could move the terminal's cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
