package socket

import (
	"bufio"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"time"
)

// This file counts the frames of a client on the bytes of its connection. The library reports messages and control frames
// only: within one call it would read empty continuation frames without end.

var errTooManyFrames = errors.New("too many frames")

// rate counts a client's frames within one second.
type rate struct {
	since time.Time
	count int
}

func (r *rate) allow(perSecond int, now time.Time) bool {
	if now.Sub(r.since) >= time.Second {
		r.since, r.count = now, 0
	}
	r.count++
	return r.count <= perSecond
}

// frames is a client's connection after the handshake. Its Read fails with errTooManyFrames when the client sends more
// frames in a second than it may.
type frames struct {
	net.Conn
	perSecond int
	rate      rate
	parser    frameParser
	over      bool
}

// Read implements net.Conn. Only one goroutine reads.
func (f *frames) Read(p []byte) (int, error) {
	if f.over {
		return 0, errTooManyFrames
	}
	n, err := f.Conn.Read(p)
	if begun := f.parser.count(p[:n]); begun > 0 {
		now := time.Now()
		for range begun {
			if !f.rate.allow(f.perSecond, now) {
				f.over = true
				return 0, errTooManyFrames
			}
		}
	}
	return n, err
}

// CountFrames returns a writer for the handshake whose connection counts the client's frames.
func (p *Pool) CountFrames(w http.ResponseWriter) http.ResponseWriter {
	return &handshake{w, p.set.FramesPerSecond}
}

type handshake struct {
	http.ResponseWriter
	perSecond int
}

// Hijack implements http.Hijacker.
func (h *handshake) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	return &frames{Conn: conn, perSecond: h.perSecond}, rw, nil
}

// maxHeader is the length of the longest frame header (RFC 6455, section 5.2): two bytes, eight of the length, four of the
// mask.
const maxHeader = 14

// frameParser finds the frames in a stream of bytes. It checks nothing: the library does.
type frameParser struct {
	header  [maxHeader]byte
	have    int    // bytes of the header
	payload uint64 // bytes of the payload that are still to come
}

// count reads the next bytes of the stream and returns how many frames begin in them.
func (f *frameParser) count(p []byte) (begun int) {
	for len(p) > 0 {
		if f.payload > 0 {
			skip := min(uint64(len(p)), f.payload)
			f.payload -= skip
			p = p[skip:]
			continue
		}
		if f.have == 0 {
			begun++
		}
		n := copy(f.header[f.have:f.length()], p)
		f.have += n
		p = p[n:]
		if f.have == f.length() { // complete, or its second byte has shown that it is longer
			f.payload, f.have = f.size(), 0
		}
	}
	return begun
}

// length returns the length of the header, as far as the bytes that are there tell.
func (f *frameParser) length() int {
	if f.have < 2 {
		return 2
	}
	length := 2
	switch f.header[1] & 0x7f {
	case 126:
		length += 2
	case 127:
		length += 8
	}
	if f.header[1]&0x80 != 0 {
		length += 4
	}
	return length
}

// size returns the length of the payload of a complete header.
func (f *frameParser) size() uint64 {
	switch short := f.header[1] & 0x7f; short {
	case 126:
		return uint64(binary.BigEndian.Uint16(f.header[2:]))
	case 127:
		return binary.BigEndian.Uint64(f.header[2:])
	default:
		return uint64(short)
	}
}
