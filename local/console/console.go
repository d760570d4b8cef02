// Package console is what a person sees in the terminal: the parts' log lines, readable and with the part's name in
// front, and lines of progress.
//
// Promises: lines of different parts never mix; without colour no escape sequence is written; nothing that a log
// holds can steer the terminal. The raw lines are kept elsewhere (package logfile): what is left out here is there.
package console

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// Escape sequences. The parts' colours leave out red and yellow, which mean error and warning.
const (
	reset  = "\x1b[0m"
	bold   = "\x1b[1m"
	dim    = "\x1b[2m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
)

var partColours = []string{"\x1b[36m", "\x1b[35m", "\x1b[34m", "\x1b[32m", "\x1b[96m", "\x1b[95m", "\x1b[94m", "\x1b[92m"}

// Console writes to one terminal or file. It is safe for several goroutines.
type Console struct {
	out    io.Writer
	colour bool

	mu    sync.Mutex
	width int
	names []string
}

// New writes to out, with colours or without.
func New(out io.Writer, colour bool) *Console { return &Console{out: out, colour: colour} }

// Names tells the parts' names beforehand, so that the lines of all stand under one another.
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

// Log writes a part's line if it is at least as important as least. Text that does not say how important it is (a
// panic's trace) is always written; warnings that belong to every start are not, unless least is Debug.
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

// Print writes a raw line as Log does, but without the part's name: for `taskwire logs PART`.
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

// Done is a step that succeeded: "✓ postgres ready 0.8s".
func (c *Console) Done(what string, took time.Duration) {
	c.say(c.paint(green, "✓") + " " + what + c.paint(dim, fmt.Sprintf(" %.1fs", took.Seconds())))
}

// Step is something that goes on now.
func (c *Console) Step(format string, args ...any) {
	c.say(c.paint(dim, "·") + " " + fmt.Sprintf(format, args...))
}

// Warn is something a person should know.
func (c *Console) Warn(format string, args ...any) {
	c.say(c.paint(yellow, "!") + " " + fmt.Sprintf(format, args...))
}

// Fail is something that went wrong.
func (c *Console) Fail(format string, args ...any) {
	c.say(c.paint(red, "✗") + " " + fmt.Sprintf(format, args...))
}

// Headline is what a person waited for.
func (c *Console) Headline(format string, args ...any) {
	c.say(c.paint(bold, fmt.Sprintf(format, args...)))
}

// Text writes lines as they are.
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
