package outbox

import "testing"

// TestOnlyIDsOfEndedWritersAreDecided makes observations one after the other and checks the decided id after each.
func TestOnlyIDsOfEndedWritersAreDecided(t *testing.T) {
	t.Parallel()
	set := func(names ...string) map[string]bool {
		m := map[string]bool{}
		for _, n := range names {
			m[n] = true
		}
		return m
	}
	type observation struct {
		last    int64
		writers map[string]bool
		want    int64
	}
	for name, observations := range map[string][]observation{
		"no writers":                  {{10, set(), 10}, {25, set(), 25}},
		"one ends, another begins":    {{10, set("a"), 0}, {20, set("b"), 10}, {30, set("c"), 20}},
		"one stays":                   {{10, set("a"), 0}, {20, set("a", "b"), 0}, {90, set("a", "c"), 0}, {95, set("d"), 10}, {99, set("e"), 95}},
		"one stays, then none":        {{10, set("a"), 0}, {20, set("a"), 0}, {30, set(), 30}},
		"a prepared one blocks":       {{10, set("prepared"), 0}, {20, set("prepared"), 0}, {30, set("b"), 0}, {40, set("c"), 30}},
		"one is prepared later":       {{10, set("a"), 0}, {20, set("prepared"), 0}, {30, set("prepared"), 0}, {40, set(), 40}},
		"a new one during a long one": {{10, set("a"), 0}, {20, set("b", "long"), 10}, {30, set("c", "long"), 10}, {40, set("d"), 20}},
	} {
		var m watermarks
		for i, o := range observations {
			if m.observe(o.last, o.writers); m.decided != o.want {
				t.Errorf("%s: after observation %d (last id %d, writers %v) %d is decided, want %d", name, i+1, o.last, o.writers, m.decided, o.want)
				break
			}
		}
	}
}
