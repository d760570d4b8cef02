package edge

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// ErrSlowBody is the error of a body that does not keep its pace. It is an os.ErrDeadlineExceeded too.
var ErrSlowBody = fmt.Errorf("the body of the request does not arrive in time: %w", os.ErrDeadlineExceeded)

// Pace is how slowly a body may arrive. The zero value asks for nothing.
type Pace struct {
	// Stall is the longest wait for the next bytes, and how long a body may be behind Rate.
	Stall time.Duration
	// Rate is the least average, in bytes per second of waiting.
	Rate int64
}

// patience returns how long a body may take for its next bytes when it has sent got bytes and was waited for so long.
func (p Pace) patience(got int64, waited time.Duration) time.Duration {
	credit := time.Duration(float64(got) / float64(max(1, p.Rate)) * float64(time.Second))
	return min(p.Stall, p.Stall+credit-waited)
}

// Patience holds the times that a server waits for a client.
type Patience struct {
	Header time.Duration // for the headers of a request, from their first byte or from the connection's start
	Idle   time.Duration // for the next request
	Body   Pace          // of a body, where the route has no pace of its own
	Drain  time.Duration // for the rest of a body that nobody reads any more
	Write  time.Duration // for a part of the answer, of writePart bytes
}

// The times that suit every server here. Header and Idle are the server's own.
const (
	// bodyStall is longer than the gaps of a phone network. With Header it answers 408 within 15 seconds.
	bodyStall = 10 * time.Second
	// bodyRate lets 1 MiB take a minute, which the slowest phone networks (EDGE, 200 kbit/s) keep easily.
	bodyRate = 16 << 10
	// drainWait lets a client finish a short body before it reads the refusal. Many clients read only after they have sent.
	drainWait = 5 * time.Second
	// drainBytes is how much of a body is read that nobody wants. net/http has the same limit.
	drainBytes = 256 << 10
	// writeWait is longer than the gaps of a phone network and than a page that is stopped in a debugger for a moment.
	writeWait = 30 * time.Second
	// writePart is a part of an answer that gets writeWait: 1 KiB a second is asked for.
	writePart = 32 << 10
)

// NewPatience returns the usual times, with those of the server for headers and between requests.
func NewPatience(header, idle time.Duration) Patience {
	return Patience{Header: header, Idle: idle, Body: Pace{bodyStall, bodyRate}, Drain: drainWait, Write: writeWait}
}

// slow returns err, or ErrSlowBody for a deadline that has passed.
func slow(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ErrSlowBody
	}
	return err
}
