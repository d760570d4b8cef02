package outbox

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// rows parses words of the form topic/key/subject. Ids count from 1.
func rows(text string) (all []row) {
	for i, word := range strings.Fields(text) {
		part := strings.Split(word, "/")
		all = append(all, row{id: int64(i + 1), Message: Message{Topic: part[0], Key: part[1], Subject: part[2], Data: []byte("0123456789")}})
	}
	return all
}

func ids(all []row) (ids []int64) {
	for _, r := range all {
		ids = append(ids, r.id)
	}
	return ids
}

func TestNextBatch(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		rows  string
		skip  int64
		alone int64
		max   int
		bytes int
		want  map[string][]int64
		left  []int64
	}{
		"nothing":                        {want: map[string][]int64{}},
		"all that fits":                  {rows: "a/x/1 a/y/2 b/x/1", want: map[string][]int64{"a": {1, 2}, "b": {3}}},
		"a subject once":                 {rows: "a/x/1 a/x/1 a/y/2", want: map[string][]int64{"a": {1, 3}}, left: []int64{2}},
		"no overtaking in a key":         {rows: "a/x/1 a/x/1 a/x/2", want: map[string][]int64{"a": {1}}, left: []int64{2, 3}},
		"topics apart":                   {rows: "a/x/1 a/x/1 b/x/1", want: map[string][]int64{"a": {1}, "b": {3}}, left: []int64{2}},
		"rows bounded":                   {rows: "a/x/1 a/y/2 a/z/3", max: 2, want: map[string][]int64{"a": {1, 2}}, left: []int64{3}},
		"bytes bounded":                  {rows: "a/x/1 a/y/2 a/z/3", bytes: 25, want: map[string][]int64{"a": {1, 2}}, left: []int64{3}},
		"the first fits, however large":  {rows: "a/x/1 a/y/2", bytes: 1, want: map[string][]int64{"a": {1}}, left: []int64{2}},
		"skipped rows stay in the table": {rows: "a/x/1 a/y/2", skip: 1, want: map[string][]int64{"a": {2}}},
		"a row that is alone, first":     {rows: "a/x/1 a/y/2", alone: 1, want: map[string][]int64{"a": {1}}, left: []int64{2}},
		"a row that is alone, later":     {rows: "a/x/1 a/y/2 a/z/3", alone: 2, want: map[string][]int64{"a": {1, 3}}, left: []int64{2}},
	} {
		t.Run(name, func(t *testing.T) {
			limit := limits{
				rows: func(string) int { return max(tc.max, 100*boolInt(tc.max == 0)) }, bytes: max(tc.bytes, 1000*boolInt(tc.bytes == 0)),
				alone: func(r row) bool { return r.id == tc.alone },
			}
			bulks, left := nextBatch(rows(tc.rows), func(r row) bool { return r.id == tc.skip }, limit)
			got := map[string][]int64{}
			for topic, bulk := range bulks {
				got[topic] = ids(bulk)
			}
			if fmt.Sprint(got) != fmt.Sprint(tc.want) || !slices.Equal(ids(left), tc.left) {
				t.Errorf("nextBatch(%q) = %v, left %v; want %v, left %v", tc.rows, got, ids(left), tc.want, tc.left)
			}
		})
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestABackoffGrowsUpToItsBoundAndEndsWithASuccess(t *testing.T) {
	t.Parallel()
	b, now := newBackoffs(200), time.Now()
	key := orderKey{"tasks", "ann"}
	for _, ms := range []int{100, 200, 400, 800, 1600, 2000, 2000} {
		want := time.Duration(ms) * time.Millisecond
		b.failed(key, now)
		if got := b.by[key].until.Sub(now); got < want/2 || got > want {
			t.Errorf("backoff = %s, want in [%s, %s]", got, want/2, want)
		}
	}
	r := row{Message: Message{Topic: "tasks", Key: "ann"}}
	if !b.mustWait(r, now) || b.mustWait(r, now.Add(maxBackoff)) {
		t.Error("the key must back off until its time and no longer")
	}
	b.succeeded(key)
	if b.mustWait(r, now) {
		t.Error("the key backs off after a success")
	}
}

func TestAFailedBulkIsHalvedAndASuccessDoublesIt(t *testing.T) {
	t.Parallel()
	b, now := newBackoffs(8), time.Now()
	bulk := rows("a/1/1 a/2/2 a/3/3 a/4/4 a/5/5 a/6/6 a/7/7 a/8/8")
	var got []int
	for n := 8; n > 1; n = b.bulkRows("a") {
		b.bulkFailed("a", bulk[:n], now)
		got = append(got, b.bulkRows("a"))
	}
	b.bulkFailed("a", bulk[:1], now)
	if !b.alone(bulk[0]) || b.alone(bulk[1]) {
		t.Error("only the event that failed alone must stay alone")
	}
	for range 4 {
		b.bulkSucceeded("a")
		got = append(got, b.bulkRows("a"))
	}
	if want := []int{4, 2, 1, 2, 4, 8, 8}; !slices.Equal(got, want) {
		t.Errorf("bulk sizes = %v, want %v", got, want)
	}
}

func TestBackoffsAreBounded(t *testing.T) {
	t.Parallel()
	b, now := newBackoffs(200), time.Now()
	for i := range 3 * maxKeys {
		b.failed(orderKey{"tasks", fmt.Sprint(i)}, now)
	}
	topics, keys := b.list(now)
	if len(b.by) > maxKeys+1 || len(keys) > maxKeys || !slices.Equal(topics, []string{"tasks"}) {
		t.Errorf("%d backoffs, %d keys, topics %v; want at most %d and the topic itself", len(b.by), len(keys), topics, maxKeys)
	}
	if _, keys = b.list(now.Add(2 * forgetAfter)); len(b.by) != 0 || len(keys) != 0 {
		t.Errorf("%d backoffs are never forgotten", len(b.by))
	}
}

func TestShare(t *testing.T) {
	t.Parallel()
	for relays, want := range map[int]int{1: 64, 2: 32, 3: 22, 5: 13, 64: 1, 100: 1} {
		if got := share(relays); got != want {
			t.Errorf("share(%d) = %d, want %d", relays, got, want)
		}
	}
}

func TestHighest(t *testing.T) {
	t.Parallel()
	if got := highest(0b1011_0001, 2); got != 0b1010_0000 {
		t.Errorf("highest = %b", got)
	}
	if got := highest(0b1, 3); got != 0b1 {
		t.Errorf("highest of less = %b", got)
	}
}
