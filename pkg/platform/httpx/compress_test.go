package httpx

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
)

// The standard library unpacks what the other library packs.
func unpack(t testing.TB, raw []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("not gzip: %v: %.80q", err, raw)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("unpack: %v", err)
	}
	return plain
}

// answering serves one answer of the type and length, written in pieces.
func answering(t *testing.T, mediaType string, status, length, piece int, header http.Header) *httptest.Server {
	t.Helper()
	e := NewEngine(Config{})
	GET(e, "/x", func(c *gin.Context) {
		for k, v := range header {
			c.Writer.Header()[k] = v
		}
		c.Header("Content-Type", mediaType)
		c.Status(status)
		for rest := length; rest > 0; rest -= piece {
			if _, err := c.Writer.Write(bytes.Repeat([]byte("x"), min(piece, rest))); err != nil {
				t.Errorf("write: %v", err)
			}
		}
	})
	srv := httptest.NewServer(e)
	t.Cleanup(srv.Close)
	return srv
}

func TestLongJSONIsCompressedForClientsThatAcceptIt(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		mediaType     string
		status        int
		length, piece int
		header        http.Header
		accept        string
		packed, vary  bool
	}{
		"a list":                           {"application/json; charset=utf-8", 200, 50_000, 50_000, nil, "gzip", true, true},
		"from the threshold on":            {"application/json", 200, compressFrom, compressFrom, nil, "gzip", true, true},
		"below the threshold":              {"application/json", 200, compressFrom - 1, 100, nil, "gzip", false, true},
		"in small pieces":                  {"application/x-ndjson", 200, 50_000, 100, nil, "gzip", true, true},
		"a created resource":               {"application/json", 201, 5_000, 5_000, nil, "br, gzip;q=0.5", true, true},
		"an export":                        {"text/calendar; charset=utf-8", 200, 5_000, 500, nil, "gzip", true, true},
		"nothing at all":                   {"application/json", 200, 0, 1, nil, "gzip", false, false},
		"a client that does not accept it": {"application/json", 200, 50_000, 50_000, nil, "br", false, true},
		"a client that refuses it":         {"application/json", 200, 50_000, 50_000, nil, "gzip;q=0, *", false, true},
		"a problem document":               {"application/problem+json", 400, 5_000, 5_000, nil, "gzip", false, false},
		"an error in JSON":                 {"application/json", 503, 5_000, 5_000, nil, "gzip", false, false},
		"a picture":                        {"image/png", 200, 5_000, 5_000, nil, "gzip", false, false},
		"an answer with an ETag":           {"application/json", 200, 50_000, 50_000, http.Header{"Etag": {`"v3"`}}, "gzip", false, false},
		"an answer that is packed already": {"application/json", 200, 5_000, 5_000, http.Header{"Content-Encoding": {"br"}}, "gzip", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := answering(t, tc.mediaType, tc.status, tc.length, tc.piece, tc.header)
			resp, body := rawRequest(t, srv, http.MethodGet, "/x", http.Header{"Accept-Encoding": {tc.accept}})
			if packed := resp.Header.Get("Content-Encoding") == "gzip"; packed != tc.packed {
				t.Fatalf("got Content-Encoding %q, want gzip: %v", resp.Header.Get("Content-Encoding"), tc.packed)
			}
			if vary := resp.Header.Get("Vary") == "Accept-Encoding"; vary != tc.vary {
				t.Errorf("got Vary %q, want Accept-Encoding: %v", resp.Header.Get("Vary"), tc.vary)
			}
			plain := body
			if tc.packed {
				plain = string(unpack(t, []byte(body)))
			}
			if resp.StatusCode != tc.status || plain != strings.Repeat("x", tc.length) {
				t.Errorf("got %d and %d bytes, want %d and %d", resp.StatusCode, len(plain), tc.status, tc.length)
			}
			if got := resp.Header.Get("ETag"); got != tc.header.Get("ETag") {
				t.Errorf("got ETag %q, want %q as the handler wrote it", got, tc.header.Get("ETag"))
			}
		})
	}
}

func TestAcceptEncodingIsReadByItsWeights(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]bool{
		"gzip": true, "GZIP": true, "x-gzip": true, "deflate, gzip ; q=1.0, *;q=0.5": true, "*": true, "br;q=1, *;q=0.1": true, "gzip;q=0.001": true,
		"": false, "identity": false, "gzip;q=0": false, "gzip;q=0.000": false, "*;q=0": false, "gzip;q=0, *": false, "br": false,
		"gzip;q=x": false, "gzip;q=2": false, "gzip;level=9": false, "gzipped": false, ",": false,
	} {
		if got := acceptsGzip([]string{header}); got != want {
			t.Errorf("Accept-Encoding %q: got %v, want %v", header, got, want)
		}
	}
	if acceptsGzip(nil) {
		t.Error("no header: got true, want false")
	}
	if !acceptsGzip([]string{"br", "gzip"}) {
		t.Error("two lines: got false, want true as for one list")
	}
}

// A stream is sent in the order and at the time of its flushes, packed or not.
func TestAStreamIsSentWhenItIsFlushed(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]int{"a short line": 10, "a long page": 5_000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			next := make(chan struct{})
			e := NewEngine(Config{})
			GET(e, "/x", func(c *gin.Context) {
				control := http.NewResponseController(c.Writer)
				if err := control.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
					t.Errorf("SetWriteDeadline: %v", err)
				}
				c.Header("Content-Type", "application/x-ndjson")
				fmt.Fprintln(c.Writer, strings.Repeat("a", first))
				if err := control.Flush(); err != nil {
					t.Errorf("Flush: %v", err)
				}
				<-next
				fmt.Fprintln(c.Writer, "b")
			})
			srv := httptest.NewServer(e)
			defer srv.Close()
			resp, err := srv.Client().Get(srv.URL + "/x") // the client accepts gzip and unpacks it
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			line := make([]byte, first+1)
			if _, err := io.ReadFull(resp.Body, line); err != nil || strings.Trim(string(line), "a") != "\n" {
				t.Fatalf("before the second line: got %.20q, %v, want the first", line, err)
			}
			if want := first > compressFrom; resp.Uncompressed != want {
				t.Errorf("packed: got %v, want %v", resp.Uncompressed, want)
			}
			close(next)
			if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != "b\n" {
				t.Errorf("got %q, %v at the end, want b", rest, err)
			}
		})
	}
}

// A client must notice that an answer is not complete, however much of it was held back.
func TestAnAnswerThatFailsIsNotEndedAsIfItWereComplete(t *testing.T) {
	t.Parallel()
	for _, length := range []int{10, compressFrom - 1, compressFrom, 100_000} {
		for name, fail := range map[string]func() error{
			"an error": func() error { return errors.New("the database is away") },
			"a panic":  func() error { panic("broken") },
		} {
			e := NewEngine(Config{})
			GET(e, "/x", Wrap(func(c *gin.Context) error {
				c.Header("Content-Type", "application/json")
				_, _ = c.Writer.Write(bytes.Repeat([]byte("x"), length))
				return fail()
			}))
			srv := httptest.NewServer(e)
			resp, err := srv.Client().Get(srv.URL + "/x")
			if err == nil {
				body, readErr := io.ReadAll(resp.Body)
				resp.Body.Close()
				if readErr == nil && resp.StatusCode == http.StatusOK {
					t.Errorf("%s after %d bytes: got 200 and %d bytes that look complete", name, length, len(body))
				}
			}
			srv.Close()
		}
	}
}

// A WebSocket handshake takes the connection over. The tests of the WebSocket service have real ones.
func TestAConnectionThatIsTakenOverIsNotTouched(t *testing.T) {
	t.Parallel()
	const answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"
	e := NewEngine(Config{})
	GET(e, "/ws", func(c *gin.Context) {
		conn, _, err := c.Writer.Hijack()
		if err != nil {
			t.Errorf("Hijack: %v", err)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, answer+strings.Repeat("x", 10_000))
	})
	srv := httptest.NewServer(e)
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\nAccept-Encoding: gzip\r\n\r\n")
	if got, err := io.ReadAll(conn); err != nil || string(got) != answer+strings.Repeat("x", 10_000) {
		t.Errorf("got %.200q, %v, want the bytes of the handler", got, err)
	}
}
