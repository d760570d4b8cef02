package live_test

import (
	"errors"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/taskwire/taskwire/pkg/events/live"
)

func TestDecodeClient(t *testing.T) {
	seven, nine := int64(7), int64(9)
	for _, c := range []struct {
		in   string
		want live.ClientFrame // nil: refused
	}{
		{in: `{"type":"ping"}`, want: live.Ping{}},
		{in: `{"type":"auth","token":"x"}`, want: live.Auth{Token: "x"}},
		{in: `{"type":"auth","token":"x","since":7}`, want: live.Auth{Token: "x", Since: &seven}},
		{in: `{"type":"auth","token":"x","since":null}`, want: live.Auth{Token: "x"}},
		{in: `{"type":"auth","token":"x","notifications_since":9}`, want: live.Auth{Token: "x", NotificationsSince: &nine}},
		{in: ` {"notifications_since":9, "since":7, "token":"x", "type":"auth"} `, want: live.Auth{Token: "x", Since: &seven, NotificationsSince: &nine}},
		{in: ``},
		{in: `[]`},
		{in: `null`},
		{in: `{}`},
		{in: `{"type":"auth"}`},
		{in: `{"type":"auth","token":"x","since":-1}`},
		{in: `{"type":"auth","token":"x","since":1.5}`},
		{in: `{"type":"auth","token":"x","since":"7"}`},
		{in: `{"type":"auth","token":"x","since":9223372036854775808}`},
		{in: `{"type":"auth","token":"x","notifications_since":-1}`},
		{in: `{"type":"auth","token":"x","notifications_since":"9"}`},
		{in: `{"type":"auth","token":"x","sinc":7}`},
		{in: `{"type":"auth","token":"x","Since":7}`},
		{in: `{"type":"auth","token":"x"`},
		{in: `{"type":"auth","token":"x",}`},
		{in: `{"type":"auth" "token":"x"}`},
		{in: `{"type":"subscribe"}`},
		{in: `{"type":"ping"}{"type":"ping"}`},
	} {
		got, err := live.DecodeClient([]byte(c.in))
		var refused *live.FrameError
		if (c.want == nil) != errors.As(err, &refused) || !reflect.DeepEqual(got, c.want) {
			t.Errorf("DecodeClient(%s): got %+v (%v), want %+v", c.in, got, err, c.want)
		}
	}
}

// encoding/json would take the last value. RFC 8259, section 4: what a reader does with such a name is not predictable.
func TestDecodeClientRefusesANameThatIsGivenTwice(t *testing.T) {
	for in, name := range map[string]string{
		`{"type":"auth","token":"x","token":"y"}`:                                     "token",
		`{"type":"auth","token":"x","token":"x"}`:                                     "token",
		`{"type":"auth","token":null,"token":"x"}`:                                    "token",
		`{"type":"auth","token":"x","t\u006fken":"y"}`:                                "token",
		`{"type":"ping","type":"auth","token":"x"}`:                                   "type",
		`{"type":"ping","type":"ping"}`:                                               "type",
		`{"type":"auth","token":"x","since":7,"since":9}`:                             "since",
		`{"type":"auth","token":"x","notifications_since":7,"notifications_since":7}`: "notifications_since",
	} {
		got, err := live.DecodeClient([]byte(in))
		refused, ok := errors.AsType[*live.FrameError](err)
		if want := name + " is given twice."; got != nil || !ok || refused.Reason != want {
			t.Errorf("DecodeClient(%s): got %+v (%v), want %q", in, got, err, want)
		}
	}
}

func TestDecodeServerSkipsUnknownFields(t *testing.T) {
	got, err := live.DecodeServer([]byte(`{"type":"resync","stream":"of the future","reason":"of the future","seq":9,"more":{}}`))
	if want := (live.Resync{Stream: "of the future", Reason: "of the future", Seq: 9}); err != nil || got != want {
		t.Errorf("got %+v (%v), want %+v", got, err, want)
	}
}

func TestDecodeServerRefuses(t *testing.T) {
	for in, unknown := range map[string]bool{
		`{"type":"of the future","seq":1}`: true,
		`{"type":"welcome","seq":"1"}`:     false,
		`{"seq":1}`:                        false,
		`null`:                             false,
		`[]`:                               false,
		``:                                 false,
	} {
		if got, err := live.DecodeServer([]byte(in)); err == nil || got != nil || errors.Is(err, live.ErrUnknownFrame) != unknown {
			t.Errorf("DecodeServer(%s): got %+v (%v), want an error, ErrUnknownFrame: %v", in, got, err, unknown)
		}
	}
}

// fuzz checks that a decoder never panics, and that what it accepts can be encoded and decoded without a change.
func fuzz(f *testing.F, side string) {
	files, err := filepath.Glob(goldenFile(side + ".*"))
	if err != nil || len(files) == 0 {
		f.Fatalf("golden documents: %v, %v", files, err)
	}
	for _, file := range files {
		f.Add(readGolden(f, file))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := decode(side+".", data)
		if err != nil {
			return
		}
		first, err := got.Encode()
		if err != nil {
			t.Fatalf("decode(%q) = %+v, which cannot be encoded: %v", data, got, err)
		}
		again, err := decode(side+".", first)
		if err != nil {
			t.Fatalf("decode(%s) = %v, after decode(%q) was fine", first, err, data)
		}
		if second, err := again.Encode(); err != nil || string(second) != string(first) {
			t.Fatalf("decode(%q) encodes to\n%s\nand then to\n%s (%v)", data, first, second, err)
		}
	})
}

func FuzzDecodeClient(f *testing.F) { fuzz(f, "client") }

func FuzzDecodeServer(f *testing.F) { fuzz(f, "server") }
