package live_test

import (
	"errors"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/taskwire/taskwire/pkg/events/live"
)

func TestDecodeClient(t *testing.T) {
	seven := int64(7)
	for _, c := range []struct {
		in   string
		want live.ClientFrame // nil: refused
	}{
		{in: `{"type":"ping"}`, want: live.Ping{}},
		{in: `{"type":"auth","token":"x"}`, want: live.Auth{Token: "x"}},
		{in: `{"type":"auth","token":"x","since":7}`, want: live.Auth{Token: "x", Since: &seven}},
		{in: `{"type":"auth","token":"x","since":null}`, want: live.Auth{Token: "x"}},
		{in: ``},
		{in: `[]`},
		{in: `null`},
		{in: `{}`},
		{in: `{"type":"auth"}`},
		{in: `{"type":"auth","token":"x","since":-1}`},
		{in: `{"type":"auth","token":"x","since":1.5}`},
		{in: `{"type":"auth","token":"x","since":"7"}`},
		{in: `{"type":"auth","token":"x","sinc":7}`},
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

func TestDecodeServerSkipsUnknownFields(t *testing.T) {
	got, err := live.DecodeServer([]byte(`{"type":"resync","reason":"of the future","seq":9,"more":{}}`))
	if want := (live.Resync{Reason: "of the future", Seq: 9}); err != nil || got != want {
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
