package exchange_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/taskwire/taskwire/services/task-api/internal/exchange"
)

// entry is a VTODO, a row or an object of a file, found without the readers.
type entry struct {
	names       []string // each of them identifies it
	from, to    int      // its lines
	values      map[string][]string
	series      string
	description string // its text, for an entry that belongs to another one
}

func (e entry) has(line int) bool { return e.from <= line && line <= e.to }

func entriesOf(t *testing.T, file string, raw []byte) []entry {
	t.Helper()
	switch caseFormat(file) {
	case exchange.ICS:
		return entriesOfICS(raw)
	case exchange.CSV:
		return entriesOfCSV(t, raw)
	default:
		return entriesOfTaskwarrior(t, raw)
	}
}

var (
	lineEnd  = regexp.MustCompile("\r\n|\r|\n")
	icsValue = regexp.MustCompile(`^([A-Za-z0-9-]+)((?:;(?:[^":]|"[^"]*")*)?):(.*)$`)
	unescape = strings.NewReplacer(`\n`, "\n", `\N`, "\n", `\,`, ",", `\;`, ";", `\\`, `\`)
)

func entriesOfICS(raw []byte) (out []entry) {
	var e *entry
	last := ""
	for i, line := range lineEnd.Split(string(raw), -1) {
		switch upper := strings.ToUpper(strings.TrimSpace(line)); {
		case upper == "BEGIN:VTODO":
			out = append(out, entry{from: i + 1, to: i + 1, values: map[string][]string{}})
			e = &out[len(out)-1]
		case e == nil:
		case upper == "END:VTODO":
			e.to, e = i+1, nil
		case strings.HasPrefix(line, " ") && len(e.values[last]) > 0:
			e.values[last][len(e.values[last])-1] += unescape.Replace(line[1:])
		default:
			e.to = i + 1
			if m := icsValue.FindStringSubmatch(line); m != nil {
				last = strings.ToUpper(m[1])
				e.values[last] = append(e.values[last], unescape.Replace(m[3]))
			}
		}
	}
	for i := range out {
		e := &out[i]
		if uid := e.values["UID"]; len(uid) > 0 {
			e.series, e.names = uid[0], []string{uid[0]}
			if id := e.values["RECURRENCE-ID"]; len(id) > 0 {
				e.names = []string{uid[0] + " RECURRENCE-ID " + id[0]}
			}
		}
	}
	return out
}

// entriesOfCSV also names a row by its first word, because some rows are too long or not UTF-8.
func entriesOfCSV(t *testing.T, raw []byte) (out []entry) {
	t.Helper()
	raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	r := csv.NewReader(bytes.NewReader(raw))
	r.FieldsPerRecord = -1
	if first, _, _ := bytes.Cut(raw, []byte("\n")); bytes.Contains(first, []byte(";")) {
		r.Comma = ';'
	}
	var header []string
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		line, _ := r.FieldPos(0)
		if len(out) > 0 {
			out[len(out)-1].to = line - 1
		}
		if header == nil {
			header = record
			continue
		}
		e := entry{from: line, to: bytes.Count(raw, []byte("\n")) + 1, values: map[string][]string{}}
		for i, value := range record {
			e.values[header[i]] = []string{value}
		}
		if content := e.values["CONTENT"]; len(content) > 0 && content[0] != "" {
			word, _, _ := strings.Cut(content[0], " ")
			e.names, e.description = []string{content[0], word}, content[0]
		}
		out = append(out, e)
	}
	return out
}

func entriesOfTaskwarrior(t *testing.T, raw []byte) (out []entry) {
	t.Helper()
	for i, line := range strings.Split(string(raw), "\n") {
		if !strings.HasPrefix(line, "{") {
			continue
		}
		var members map[string]any
		if err := json.Unmarshal([]byte(strings.TrimRight(line, ",\r")), &members); err != nil {
			t.Fatal(err)
		}
		e := entry{from: i + 1, to: i + 1, values: map[string][]string{}}
		for name, value := range members {
			list, ok := value.([]any)
			if !ok {
				list = []any{value}
			}
			for _, v := range list {
				if annotation, ok := v.(map[string]any); ok {
					v = annotation["description"]
				}
				e.values[name] = append(e.values[name], fmt.Sprint(v))
			}
		}
		e.names = e.values["uuid"]
		e.series = e.names[0]
		if parent := e.values["parent"]; len(parent) > 0 {
			e.series = parent[0]
		}
		out = append(out, e)
	}
	return out
}

var (
	byLine  = regexp.MustCompile(`^line (\d+):`)
	byOrder = regexp.MustCompile(` \((first|second)\)$`)
)

// find returns the entry that a case names: by its line, by its name, or as the first or second of that name.
func (i *imported) find(name string) (entry, bool) {
	if m := byLine.FindStringSubmatch(name); m != nil {
		line, err := strconv.Atoi(m[1])
		for _, e := range i.entries {
			if err == nil && e.from == line {
				return e, true
			}
		}
		return entry{}, false
	}
	skip := 0
	if m := byOrder.FindStringSubmatch(name); m != nil {
		name = strings.TrimSuffix(name, m[0])
		if m[1] == "second" {
			skip = 1
		}
	}
	word, _, _ := strings.Cut(name, " ")
	for n, wanted := range []string{name, word} {
		for _, e := range i.entries {
			if len(e.names) <= n || e.names[n] != wanted {
				continue
			}
			if skip--; skip < 0 {
				return e, true
			}
		}
	}
	return entry{}, false
}
