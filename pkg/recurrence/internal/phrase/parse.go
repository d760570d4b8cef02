package phrase

import (
	"slices"
	"strings"
	"time"
	"unicode"
)

// parser reads the tokens of one phrase from left to right.
type parser struct {
	tokens   []token
	at       int
	language string
	spec     parsed
}

// parsed is a Spec, and whether words of a language have been read.
type parsed struct {
	Spec
	worded bool
}

// maxQuoted bounds the words that an error repeats, in characters.
const maxQuoted = 60

func parse(tokens []token, words lexicon, language string) (parsed, error) {
	p := &parser{tokens: words.explain(tokens), language: language}
	p.spec.worded = slices.ContainsFunc(p.tokens, func(t token) bool {
		return t.isWord() && strings.ContainsFunc(t.raw, unicode.IsLetter)
	})
	if err := p.phrase(); err != nil {
		return parsed{}, err
	}
	return p.spec, nil
}

func (p *parser) phrase() error {
	if p.take(noDate) && p.done() {
		p.spec.NoDate = true
		return nil
	}
	p.at = 0
	found, err := p.recurrence()
	if err != nil {
		return err
	}
	if !found {
		return p.dateAndTime()
	}
	return p.modifiers()
}

// dateAndTime reads a day, a time of day, or both in either order.
func (p *parser) dateAndTime() error {
	for !p.done() {
		mark := p.at
		p.skip(filler)
		if p.spec.Day == nil && p.spec.Instant.IsZero() {
			if found, err := p.day(&p.spec.Day); err != nil {
				return err
			} else if found {
				p.sign(',')
				continue
			}
		}
		if found, err := p.clock(); err != nil {
			return err
		} else if found {
			p.sign(',')
			continue
		}
		p.at = mark
		return p.stuck()
	}
	return nil
}

// modifiers reads what follows the days of a recurrence, in any order: a time of day, the first day, and the end.
func (p *parser) modifiers() error {
	for !p.done() {
		p.sign(',')
		found, err := p.modifier()
		if err != nil {
			return err
		}
		if !found {
			return p.stuck()
		}
	}
	r := p.spec.Rule
	ends := 0
	for _, has := range []bool{r.Until != nil, r.Count > 0, r.During.N > 0} {
		if has {
			ends++
		}
	}
	if ends > 1 {
		return errorf("names its end twice")
	}
	return nil
}

func (p *parser) modifier() (bool, error) {
	r, mark := p.spec.Rule, p.at
	switch {
	case p.take(starting):
		found, err := p.day(&p.spec.Day)
		if found || err != nil {
			return found, err
		}
		p.at = mark
		if p.take(starting) { // "from 9am"
			return p.clock()
		}
	case p.take(until) || p.spec.Day != nil && p.take(to):
		return p.day(&r.Until)
	case p.take(during):
		if n, ok := p.amount(); ok && n > 0 && r.During.N == 0 && r.Count == 0 {
			if u, ok := p.value(unit); ok && Unit(u) != Hours {
				r.During = Span{n, Unit(u)}
				return true, nil
			}
			p.take(times)
			r.Count = n
			return p.was(times), nil
		}
	case p.is(0, number, one) || p.figure() && r.Count == 0:
		if n, ok := p.amount(); ok && n > 0 && p.take(times) {
			r.Count = n
			return true, nil
		}
	}
	p.at = mark
	return p.clock()
}

func (p *parser) done() bool { return p.at >= len(p.tokens) }

// peek returns the token that is n tokens ahead; the zero token at the end.
func (p *parser) peek(n int) token {
	if p.at+n < 0 || p.at+n >= len(p.tokens) {
		return token{}
	}
	return p.tokens[p.at+n]
}

// is reports whether the token that is n tokens ahead has one of the meanings.
func (p *parser) is(n int, kinds ...kind) bool {
	return slices.ContainsFunc(p.peek(n).means, func(m meaning) bool { return slices.Contains(kinds, m.kind) })
}

// isUnit reports whether the next token names the unit.
func (p *parser) isUnit(u Unit) bool { return slices.Contains(p.peek(0).means, meaning{unit, int(u)}) }

// was reports whether the last token that was read has the meaning.
func (p *parser) was(k kind) bool { return p.is(-1, k) }

// value reads a token with the meaning, and returns its number.
func (p *parser) value(k kind) (int, bool) {
	for _, m := range p.peek(0).means {
		if m.kind == k {
			p.at++
			return m.n, true
		}
	}
	return 0, false
}

func (p *parser) take(k kind) bool {
	_, ok := p.value(k)
	return ok
}

func (p *parser) skip(k kind) {
	for p.take(k) {
	}
}

func (p *parser) sign(r rune) bool {
	if p.peek(0).sign != r || p.done() {
		return false
	}
	p.at++
	return true
}

// figure reports whether a number without an ordinal sign follows, which is not the hour of a time of day.
func (p *parser) figure() bool {
	t := p.peek(0)
	return t.number && !t.ordinal && !p.is(1, oclock, beforeNoon, afterNoon)
}

// amount reads a number in figures or words, or "a".
func (p *parser) amount() (int, bool) {
	if p.figure() {
		p.at++
		return p.tokens[p.at-1].n, true
	}
	if n, ok := p.value(number); ok {
		return n, true
	}
	return p.value(one)
}

// stuck returns the error that names the words that are left.
func (p *parser) stuck() error {
	var words []string
	for _, t := range p.tokens[min(p.at, len(p.tokens)):] {
		words = append(words, t.raw)
	}
	if len(words) == 0 {
		return errorf("ends too early")
	}
	quoted := []rune(strings.Join(words, " "))
	if len(quoted) > maxQuoted {
		quoted = append(quoted[:maxQuoted], '…')
	}
	return errorf("has words that are not understood here: %q", string(quoted))
}

// civil returns midnight UTC of a day.
func civil(year int, m time.Month, day int) time.Time {
	return time.Date(year, m, day, 0, 0, 0, 0, time.UTC)
}

// lastDay returns the number of days of the month of a day.
func lastDay(day time.Time) int { return civil(day.Year(), day.Month()+1, 0).Day() }
