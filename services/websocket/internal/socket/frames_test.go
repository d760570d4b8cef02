package socket

import (
	"encoding/binary"
	"testing"
)

// frame returns the bytes of a client's frame with that length.
func frame(first byte, length int, masked bool) []byte {
	mask := byte(0)
	if masked {
		mask = 0x80
	}
	out := []byte{first}
	switch {
	case length < 126:
		out = append(out, mask|byte(length))
	case length < 1<<16:
		out = binary.BigEndian.AppendUint16(append(out, mask|126), uint16(length))
	default:
		out = binary.BigEndian.AppendUint64(append(out, mask|127), uint64(length))
	}
	if masked {
		out = append(out, 0x81, 0x82, 0x83, 0x84) // looks like headers, and is none
	}
	for range length {
		out = append(out, 0x81)
	}
	return out
}

// FuzzFrameParser: however the bytes arrive, each frame is counted once, when its first byte is there.
func FuzzFrameParser(f *testing.F) {
	f.Add(uint16(0), uint8(1), true)
	f.Add(uint16(125), uint8(3), true)
	f.Add(uint16(126), uint8(7), false)
	f.Add(uint16(65535), uint8(255), true)
	f.Fuzz(func(t *testing.T, length uint16, step uint8, masked bool) {
		var stream []byte
		sizes := []int{0, int(length), 125, 0, 126, 1 << 16, int(length) + 1, 0}
		for _, size := range sizes {
			stream = append(stream, frame(0x80, size, masked)...)
		}
		var p frameParser
		got := 0
		for rest := stream; len(rest) > 0; {
			part := rest[:min(len(rest), int(step)+1)]
			got += p.count(part)
			rest = rest[len(part):]
		}
		if got != len(sizes) || p.have != 0 || p.payload != 0 {
			t.Errorf("in steps of %d: got %d frames and %+v, want %d and a clean end", int(step)+1, got, p, len(sizes))
		}
	})
}

func TestAFrameIsCountedWhenItBegins(t *testing.T) {
	var p frameParser
	for i, want := range []int{1, 0, 0, 0, 0, 0} {
		if got := p.count(frame(0x00, 0, true)[i : i+1]); got != want {
			t.Errorf("byte %d of an empty frame: got %d frames, want %d", i+1, got, want)
		}
	}
	if got := p.count(make([]byte, 600)); got != 300 { // frames without a mask, which the library refuses
		t.Errorf("600 zeros: got %d frames, want 300", got)
	}
}
