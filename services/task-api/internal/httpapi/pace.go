package httpapi

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/httpx"
)

// pace is how slow the body of an import may be. It takes a place that others wait for, so whoever sends it byte by byte
// must not keep it.
type pace struct {
	stall time.Duration // nothing comes, or on the whole less than rate
	rate  int64         // bytes a second, on average and beyond stall
	total time.Duration // the whole import
}

// importPace: the slowest phone networks still bring 1 KiB a second, and stallTimeout outlasts their gaps. In a quarter
// of an hour a file of the largest size passes at 75 KiB a second; one that does not is sent again, and goes on.
var importPace = pace{stall: stallTimeout, rate: 1 << 10, total: 15 * time.Minute}

// pacedBody is a body that must keep its pace. Only the time that it is waited for counts, not the time in which the
// server works on what came.
type pacedBody struct {
	body    io.Reader
	control *http.ResponseController
	pace    pace
	end     time.Time
	got     int64
	waited  time.Duration
}

func newPacedBody(body io.Reader, control *http.ResponseController, p pace) *pacedBody {
	return &pacedBody{body: body, control: control, pace: p, end: time.Now().Add(p.total)}
}

// Read implements io.Reader. A body that is too slow ends with the error that the client gets.
func (b *pacedBody) Read(p []byte) (int, error) {
	begin := time.Now()
	patience := b.pace.stall + time.Duration(float64(b.got)/float64(b.pace.rate)*float64(time.Second)) - b.waited
	until := begin.Add(min(b.pace.stall, patience))
	if b.end.Before(until) {
		until = b.end
	}
	if !begin.Before(until) { // what is left in a buffer would still be read
		return 0, b.late(begin, os.ErrDeadlineExceeded)
	}
	_ = b.control.SetReadDeadline(until) // not every server has deadlines
	n, err := b.body.Read(p)
	b.got, b.waited = b.got+int64(n), b.waited+time.Since(begin)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return n, b.late(until, err)
	}
	return n, err
}

// late is the error of a body that was waited for until an instant.
func (b *pacedBody) late(until time.Time, err error) error {
	if !until.Before(b.end) {
		return &httpx.Error{Code: httpx.CodeRequestTimeout, Message: fmt.Sprintf("The import took longer than %s. Run it again to go on: nothing is made twice.", b.pace.total), Err: err}
	}
	return &httpx.Error{Code: httpx.CodeRequestTimeout, Message: "The file does not arrive fast enough. Run the import again to go on: nothing is made twice.", Err: err}
}

// tooSlow says whether err is that of late.
func tooSlow(err error) bool {
	e, ok := errors.AsType[*httpx.Error](err)
	return ok && e.Code == httpx.CodeRequestTimeout
}
