package httpx

import (
	"mime"
	"net/http"
	"sync"

	"github.com/gin-gonic/gin"
	"github.com/klauspost/compress/gzip"
)

// This file decides which answers are compressed.

const (
	// compressFrom is the length from which an answer is compressed, in bytes. A shorter one fits into one packet with its
	// headers, so compression would cost time and save none.
	compressFrom = 1 << 10
	// compressLevel is the fastest. On a list of tasks the default level saves a tenth of the bytes more for twice the time
	// (BenchmarkCompress).
	compressLevel = gzip.BestSpeed
)

// compressible are the types of answers that are compressed. A problem document is not one: it is short, and it must reach
// a client whatever is wrong with the request.
var compressible = map[string]bool{
	"application/json": true, "application/x-ndjson": true, "application/jwk-set+json": true,
	"text/csv": true, "text/calendar": true, "text/html": true, "text/css": true, "text/javascript": true,
}

// gzipWriters keeps writers with their tables, which are larger than most answers.
var gzipWriters = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(nil, compressLevel)
	if err != nil {
		panic(err) // the level is a constant
	}
	return w
}}

// compress sends answers in gzip to clients that accept it. It holds an answer back up to compressFrom and streams it from
// there on. An answer with an ETag is sent as it is: a strong validator names one sequence of bytes (RFC 9110, section
// 8.8.1), and the ETag of a task must be the same for every client, because clients send it back in If-Match.
func compress() gin.HandlerFunc {
	return func(c *gin.Context) {
		inner := c.Writer
		w := &compressWriter{ResponseWriter: inner, accepted: acceptsGzip(c.Request.Header.Values("Accept-Encoding"))}
		c.Writer = w
		defer func() { c.Writer = inner }() // also for a panic: what was held back is dropped then, and the connection aborted
		c.Next()
		w.finish()
	}
}

// compressWriter is undecided until an answer has compressFrom bytes, is flushed or ends. Then it is plain, or packed is
// set.
type compressWriter struct {
	gin.ResponseWriter
	accepted bool
	held     []byte
	plain    bool
	packed   *gzip.Writer
}

func (w *compressWriter) Write(p []byte) (int, error) {
	if !w.plain && w.packed == nil {
		switch {
		case !w.eligible():
			w.plain = true
		case len(w.held)+len(p) < compressFrom:
			w.held = append(w.held, p...)
			return len(p), nil
		default:
			w.pack()
		}
	}
	if w.packed != nil {
		return w.packed.Write(p)
	}
	return w.ResponseWriter.Write(p)
}

// WriteString implements io.StringWriter.
func (w *compressWriter) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

// eligible reports whether the answer may be compressed. It says so to caches, also where this client gets it plain.
func (w *compressWriter) eligible() bool {
	h := w.Header()
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || !compressible[media] || w.Status() != http.StatusOK && w.Status() != http.StatusCreated ||
		h.Get("Content-Encoding") != "" || h.Get("ETag") != "" {
		return false
	}
	varyOn(h, "Accept-Encoding")
	return w.accepted
}

// pack begins the compressed answer with what was held back.
func (w *compressWriter) pack() {
	w.Header().Set("Content-Encoding", "gzip")
	w.Header().Del("Content-Length")            // of the plain answer
	w.packed = gzipWriters.Get().(*gzip.Writer) // only New fills the pool
	w.packed.Reset(w.ResponseWriter)
	_, _ = w.packed.Write(w.held) // an error comes again from the next call
	w.held = nil
}

// release sends what was held back as it is.
func (w *compressWriter) release() {
	w.plain = true
	if len(w.held) > 0 {
		_, _ = w.ResponseWriter.Write(w.held) // the client went away
		w.held = nil
	}
}

// Flush sends everything so far. An answer that is flushed before it has compressFrom bytes is one whose lines are awaited,
// such as the report of an import: it stays plain.
func (w *compressWriter) Flush() {
	if w.packed != nil {
		_ = w.packed.Flush() // the client went away
	} else {
		w.release()
	}
	w.ResponseWriter.Flush()
}

// WriteHeaderNow sends the status before the body is known, so the body stays plain.
func (w *compressWriter) WriteHeaderNow() {
	if w.packed == nil && !w.plain {
		w.release()
	}
	w.ResponseWriter.WriteHeaderNow()
}

// Written reports whether the handler has begun its answer.
func (w *compressWriter) Written() bool {
	return w.packed != nil || len(w.held) > 0 || w.ResponseWriter.Written()
}

// Unwrap is for http.ResponseController.
func (w *compressWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// finish ends the answer.
func (w *compressWriter) finish() {
	if w.packed == nil {
		w.release()
		return
	}
	_ = w.packed.Close() // the client went away
	w.packed.Reset(nil)  // keeps no reference to the request
	gzipWriters.Put(w.packed)
}
