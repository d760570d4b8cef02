package phrase

import "time"

// clock reads a time of day: "at 9", "@ 9am", "21:00", "noon", "in the morning", "um 9 Uhr".
func (p *parser) clock() (bool, error) {
	mark := p.at
	named := p.take(at) || p.sign('@')
	t, found := p.figuresOfClock(named)
	if !found {
		t, found = p.wordOfClock()
	}
	switch {
	case !found && named:
		return false, p.stuck()
	case !found:
		p.at = mark
		return false, nil
	case p.spec.Clock != nil || !p.spec.Instant.IsZero():
		return false, errorf("names its time of day twice")
	}
	clock, err := t.duration()
	if err != nil {
		return false, err
	}
	p.spec.Clock = &clock
	return true, nil
}

// figuresOfClock reads a time in figures. After "at" a number alone is the hour.
func (p *parser) figuresOfClock(named bool) (clockText, bool) {
	mark, t := p.at, p.peek(0)
	var c clockText
	switch {
	case t.clock != nil:
		c = *t.clock
	case t.number && (!t.ordinal || p.is(1, oclock)):
		c = clockText{hour: t.n, dotted: true}
	default:
		return c, false
	}
	p.at++
	switch {
	case p.take(oclock):
		c.dotted = false
		if after := p.peek(0); t.number && after.number && !after.ordinal { // "9 Uhr 30"
			c.minute = after.n
			p.at++
		}
	case c.half == "" && p.take(beforeNoon):
		c.half, c.dotted = "am", false
	case c.half == "" && p.take(afterNoon):
		c.half, c.dotted = "pm", false
	}
	if c.dotted && !named {
		p.at = mark
		return c, false
	}
	return c, true
}

// wordOfClock reads a word such as noon, and parts of the day with the times that Todoist gives them.
func (p *parser) wordOfClock() (clockText, bool) {
	mark := p.at
	if p.take(in) { // "in the morning"
		p.skip(filler)
	} else {
		p.take(this)
		p.skip(filler)
	}
	for _, k := range []kind{clockWord, dayPart} {
		if n, ok := p.value(k); ok {
			return clockText{hour: n / 60, minute: n % 60}, true
		}
	}
	p.at = mark
	return clockText{}, false
}

// duration returns the time since midnight.
func (c clockText) duration() (time.Duration, error) {
	hour, bad := c.hour, errorf("has a time of day that does not exist")
	if c.half != "" {
		if hour < 1 || hour > 12 {
			return 0, bad
		}
		if hour %= 12; c.half == "pm" {
			hour += 12
		}
	}
	if hour > 23 || c.minute > 59 || c.second > 59 {
		return 0, bad
	}
	return time.Duration(hour)*time.Hour + time.Duration(c.minute)*time.Minute + time.Duration(c.second)*time.Second, nil
}
