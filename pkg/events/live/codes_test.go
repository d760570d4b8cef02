package live_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events/live"
)

// maxReason is how many bytes RFC 6455 leaves to the reason of a close frame.
const maxReason = 123

func TestEveryCodeIsCompleteAndDistinct(t *testing.T) {
	names := map[string]bool{}
	for code, m := range live.Codes {
		if m.Name == "" || m.Message == "" || names[m.Name] {
			t.Errorf("code %d: %+v is not complete, or another code has its name", code, m)
		}
		names[m.Name] = true
		if reconnects := m.Action == live.Reconnect; reconnects && m.Retry < 0 {
			t.Errorf("code %d: a client is to reconnect, and never", code)
		}
		text := code.Closing().Reason()
		if len(text) > maxReason {
			t.Errorf("code %d: the close reason has %d bytes, RFC 6455 allows %d", code, len(text), maxReason)
		}
		var reason live.CloseReason
		if err := json.Unmarshal([]byte(text), &reason); err != nil || reason.Code != m.Name || (reason.Retry == nil) != (m.Retry < 0) {
			t.Errorf("code %d: close reason %s (%v)", code, text, err)
		}
		e := code.Closing().ErrorFrame()
		if e.Code != m.Name || e.Message != m.Message || e.RetryAfter() != m.Retry || e.Action() != m.Action {
			t.Errorf("code %d: error frame %+v, want what Codes says: %+v", code, e, m)
		}
	}
}

func TestTheTableInTheDocIsTheCodes(t *testing.T) {
	source, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`(?m)^//\t(\d{4})  (\w+) +(\w+(?: \w+)?)  +(\w+) +\S`)
	documented := map[live.Code]string{}
	for _, m := range row.FindAllStringSubmatch(string(source), -1) {
		var code live.Code
		if _, err := fmt.Sscan(m[1], &code); err != nil {
			t.Fatal(err)
		}
		documented[code] = fmt.Sprint(m[2], ", ", m[3], ", ", m[4])
	}
	for code, m := range live.Codes {
		retry := "never"
		if m.Retry >= 0 {
			retry = m.Retry.String()
		}
		if want := fmt.Sprint(m.Name, ", ", m.Action, ", ", retry); documented[code] != want {
			t.Errorf("doc.go says of %d: %q, want %q", code, documented[code], want)
		}
	}
	if len(documented) != len(live.Codes) {
		t.Errorf("doc.go has %d codes, Codes has %d", len(documented), len(live.Codes))
	}
}

func TestANoteIsAddedToTheMessage(t *testing.T) {
	got := live.BadFrame.Closing().With("No.").ErrorFrame().Message
	if want := live.Codes[live.BadFrame].Message + " No."; got != want {
		t.Errorf("message: got %q, want %q", got, want)
	}
}

func TestWhatAClientDoesOnAnUnknownCode(t *testing.T) {
	retry := int64(1500)
	for _, c := range []struct {
		frame live.Error
		want  live.Action
		wait  time.Duration
	}{
		{live.Error{Code: "of_the_future", Retry: &retry}, live.Reconnect, 1500 * time.Millisecond},
		{live.Error{Code: "of_the_future"}, live.Stop, live.Never},
	} {
		if got := c.frame.Action(); got != c.want || c.frame.RetryAfter() != c.wait {
			t.Errorf("%+v: got %s after %s, want %s after %s", c.frame, got, c.frame.RetryAfter(), c.want, c.wait)
		}
	}
	for code, want := range map[live.Code]live.Action{4999: live.Reconnect, 1006: live.Reconnect, live.FrameTooLarge: live.Stop} {
		if got := code.Action(); got != want {
			t.Errorf("close code %d: got %s, want %s", code, got, want)
		}
	}
}
