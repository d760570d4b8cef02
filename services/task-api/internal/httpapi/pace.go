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

// pace bounds how slowly the body of an import may arrive. A running import occupies one of few places, so a client that sends
// byte by byte must not keep its place.
type pace struct {
	stall time.Duration // the longest wait for the next bytes, and the longest delay behind rate
	rate  int64         // the lowest average, in bytes per second of waiting
	total time.Duration // the longest time of the whole import
}

// importPace is the pace of imports. The slowest phone networks still transfer 1 KiB a second, and stallTimeout is longer than
// their gaps. A file of the largest size needs 75 KiB a second to arrive in 15 minutes. A slower client can send the file
// again: the import then creates the tasks that are missing.
var importPace = pace{stall: stallTimeout, rate: 1 << 10, total: 15 * time.Minute}

// pacedBody is a request body that must keep a pace. Only the time in which the server waits for bytes counts, not the time in
// which it processes them.
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

// Read implements io.Reader. The error of a body that is too slow is the *httpx.Error that the client gets.
func (b *pacedBody) Read(p []byte) (int, error) {
	begin := time.Now()
	patience := b.pace.stall + time.Duration(float64(b.got)/float64(b.pace.rate)*float64(time.Second)) - b.waited
	until := begin.Add(min(b.pace.stall, patience))
	if b.end.Before(until) {
		until = b.end
	}
	if !begin.Before(until) { // a buffer could still have bytes, which an expired deadline does not stop
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

// late returns the error of a body for which the server waited until an instant: the import took too long, or the body is too
// slow.
func (b *pacedBody) late(until time.Time, err error) error {
	if !until.Before(b.end) {
		return &httpx.Error{Code: httpx.CodeRequestTimeout, Message: fmt.Sprintf("The import took longer than %s. Run it again to continue: no task is created twice.", b.pace.total), Err: err}
	}
	return &httpx.Error{Code: httpx.CodeRequestTimeout, Message: "The file does not arrive fast enough. Run the import again to continue: no task is created twice.", Err: err}
}

// tooSlow reports whether late made err.
func tooSlow(err error) bool {
	e, ok := errors.AsType[*httpx.Error](err)
	return ok && e.Code == httpx.CodeRequestTimeout
}
