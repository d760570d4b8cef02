package console

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestALogLineOfEachProgramIsReadable(t *testing.T) {
	for name, tc := range map[string]struct {
		raw   string
		level Level
		text  string
	}{
		"slog":                   {`{"time":"2026-11-24T08:30:00.5Z","level":"INFO","msg":"listening","service":"audit","addr":"127.0.0.1:1","n":3,"note":"a b"}`, Info, `listening addr=127.0.0.1:1 n=3 note="a b"`},
		"slog, nested":           {`{"level":"WARN","msg":"slow","http":{"status":200}}`, Warn, `slow http="{\"status\":200}"`},
		"Dapr":                   {`{"app_id":"audit","instance":"h","level":"warning","msg":"broker is gone","scope":"dapr.contrib","time":"2026-11-24T08:30:00Z","type":"log","ver":"1.18.3"}`, Warn, `broker is gone`},
		"Dapr, fatal":            {`{"level":"fatal","msg":"no"}`, Error, `no`},
		"Postgres":               {`2026-11-24 08:30:00.123 UTC [42] LOG:  database system is ready to accept connections`, Info, `database system is ready to accept connections`},
		"Postgres, fatal":        {`2026-11-24 08:30:00.123 UTC [42] FATAL:  lock file exists`, Error, `lock file exists`},
		"plain":                  {`panic: runtime error`, Plain, `panic: runtime error`},
		"broken JSON":            {`{"level":"INFO","msg":`, Plain, `{"level":"INFO","msg":`},
		"JSON of something else": {`{}`, Plain, `{}`},
		"escape sequences":       {"{\"level\":\"INFO\",\"msg\":\"a\\u001b[31mb\\nc\"}", Info, `a·[31mb⏎c`},
		"empty":                  {``, Plain, ``},
	} {
		t.Run(name, func(t *testing.T) {
			got := Parse([]byte(tc.raw))
			if got.Level != tc.level || got.Text != tc.text {
				t.Errorf("Parse(%s): got %v %q, want %v %q", tc.raw, got.Level, got.Text, tc.level, tc.text)
			}
		})
	}
}

func TestTheTimeOfALineIsRead(t *testing.T) {
	want := time.Date(2026, 11, 24, 8, 30, 0, 123_000_000, time.UTC)
	for _, raw := range []string{`{"time":"2026-11-24T08:30:00.123Z","level":"INFO","msg":"x"}`, `2026-11-24 08:30:00.123 UTC [42] LOG:  x`} {
		if got := Parse([]byte(raw)).Time; !got.Equal(want) {
			t.Errorf("Parse(%s).Time: got %s, want %s", raw, got, want)
		}
	}
}

func TestPlainOutputHasNoEscapesAndNoUnimportantLines(t *testing.T) {
	var out bytes.Buffer
	c := New(&out, false)
	c.Names("a-long-name", "b")
	c.Log("b", []byte(`{"level":"INFO","msg":"quiet"}`), Warn)
	c.Log("b", []byte(`{"level":"ERROR","msg":"loud"}`), Warn)
	c.Log("b", []byte(`stack trace`), Warn)
	c.Log("b", []byte(`{"level":"warning","msg":"mTLS is disabled. quiet too"}`), Warn)
	c.Done("b ready", 1200*time.Millisecond)
	got := out.String()
	if strings.Contains(got, "\x1b") || strings.Contains(got, "quiet") {
		t.Errorf("got %q", got)
	}
	for _, want := range []string{"b           | ", "ERROR loud\n", " stack trace\n", "✓ b ready 1.2s\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("got %q, want it to have %q", got, want)
		}
	}
}

func TestEachPartKeepsItsColour(t *testing.T) {
	var out bytes.Buffer
	c := New(&out, true)
	c.Names("a", "b")
	for range 2 {
		c.Log("a", []byte("x"), Info)
		c.Log("b", []byte("x"), Info)
	}
	lines := strings.Split(out.String(), "\n")
	if lines[0][:5] != lines[2][:5] || lines[0][:5] == lines[1][:5] {
		t.Errorf("got %q", lines)
	}
}
