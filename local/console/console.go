// Package console writes what a person sees in the terminal: lines of progress, and the parts' log lines in a readable
// form with the part's name in front.
//
// Promises: lines of different parts never mix; without colour no escape sequence is written; a log cannot control the
// terminal. Package logfile keeps all lines as they were written, also those that are not shown here.
package console

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// Escape sequences. Red and yellow are not among the parts' colours: they mean error and warning.
const (
	reset  = "\x1b[0m"
	bold   = "\x1b[1m"
	dim    = "\x1b[2m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
)

var partColours = []string{"\x1b[36m", "\x1b[35m", "\x1b[34m", "\x1b[32m", "\x1b[96m", "\x1b[95m", "\x1b[94m", "\x1b[92m"}

// Console writes to one terminal or file. It is safe for concurrent use.
type Console struct {
	out    io.Writer
	colour bool

	mu    sync.Mutex
	width int
	names []string
}

// New returns a Console that writes to out, with colours or without.
func New(out io.Writer, colour bool) *Console { return &Console{out: out, colour: colour} }

// Names announces the parts' names, so that the lines of all parts align.
func (c *Console) Names(names ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range names {
		c.width = max(c.width, len(n))
		if !slices.Contains(c.names, n) {
			c.names = append(c.names, n)
		}
	}
}

// Log writes a part's line if its level is least or above. A line without a level, such as a panic's trace, is always
// written. Warnings that every start has are written only if least is Debug.
func (c *Console) Log(part string, raw []byte, least Level) {
	l := Parse(raw)
	if l.Level != Plain && (l.Level < least || least > Debug && expected(l.Text)) {
		return
	}
	if l.Time.IsZero() {
		l.Time = time.Now()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.width = max(c.width, len(part))
	fmt.Fprintf(c.out, "%s %s %s\n",
		c.paint(c.colourOf(part), fmt.Sprintf("%-*s |", c.width, part)),
		c.paint(dim, l.Time.Local().Format("15:04:05.000")),
		c.level(l))
}

// Print writes a line as Log does, without the part's name, for `taskwire logs PART`.
func (c *Console) Print(raw []byte) {
	l := Parse(raw)
	c.mu.Lock()
	defer c.mu.Unlock()
	at := strings.Repeat(" ", len("15:04:05.000"))
	if !l.Time.IsZero() {
		at = l.Time.Local().Format("15:04:05.000")
	}
	fmt.Fprintf(c.out, "%s %s\n", c.paint(dim, at), c.level(l))
}

func (c *Console) level(l Line) string {
	if l.Level == Plain {
		return l.Text
	}
	name := fmt.Sprintf("%-5s", levelNames[l.Level])
	switch l.Level {
	case Warn:
		name = c.paint(yellow, name)
	case Error:
		name = c.paint(red, name)
	case Debug, Info, Plain:
		name = c.paint(dim, name)
	}
	return name + " " + l.Text
}

// Done writes that a step succeeded: "✓ postgres ready 0.8s".
func (c *Console) Done(what string, took time.Duration) {
	c.say(c.paint(green, "✓") + " " + what + c.paint(dim, fmt.Sprintf(" %.1fs", took.Seconds())))
}

// Step writes what happens now.
func (c *Console) Step(format string, args ...any) {
	c.say(c.paint(dim, "·") + " " + fmt.Sprintf(format, args...))
}

// Warn writes something that a person should know.
func (c *Console) Warn(format string, args ...any) {
	c.say(c.paint(yellow, "!") + " " + fmt.Sprintf(format, args...))
}

// Fail writes that something went wrong.
func (c *Console) Fail(format string, args ...any) {
	c.say(c.paint(red, "✗") + " " + fmt.Sprintf(format, args...))
}

// Headline writes what a person has waited for.
func (c *Console) Headline(format string, args ...any) {
	c.say(c.paint(bold, fmt.Sprintf(format, args...)))
}

// Text writes a line without a sign in front.
func (c *Console) Text(format string, args ...any) { c.say(fmt.Sprintf(format, args...)) }

func (c *Console) say(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintln(c.out, line)
}

func (c *Console) paint(colour, s string) string {
	if !c.colour {
		return s
	}
	return colour + s + reset
}

func (c *Console) colourOf(part string) string {
	i := slices.Index(c.names, part)
	if i < 0 {
		i = len(c.names)
		c.names = append(c.names, part)
	}
	return partColours[i%len(partColours)]
}
