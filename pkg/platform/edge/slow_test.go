package edge

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// The three kinds of body that never end.
var endless = map[string]struct{ head, drop string }{
	"a byte now and then":  {"Content-Length: 10000\r\n\r\n{", " "},
	"no byte":              {"Content-Length: 10000\r\n\r\n", ""},
	"a chunk now and then": {"Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n"},
	"a chunk without end":  {"Transfer-Encoding: chunked\r\n\r\nffff\r\n", " "},
	"no chunk":             {"Transfer-Encoding: chunked\r\n\r\n", ""},
	"after 100 Continue":   {"Expect: 100-continue\r\nContent-Length: 10000\r\n\r\n", " "},
}

func TestASlowBodyIsAnErrorAndEndsTheConnection(t *testing.T) {
	addr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		if !errors.Is(err, ErrSlowBody) || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the body: got %v, want ErrSlowBody", err)
		}
		if _, again := r.Body.Read(make([]byte, 1)); !errors.Is(again, ErrSlowBody) {
			t.Errorf("reading the body again: got %v, want ErrSlowBody", again)
		}
		w.WriteHeader(http.StatusRequestTimeout)
	}))
	for name, c := range endless {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := statuses(trickle(t, addr, "POST / HTTP/1.1\r\nHost: x\r\n"+c.head, c.drop)); !slices.Contains(got, "408 Request Timeout") {
				t.Errorf("got %q, want 408", got)
			}
		})
	}
}

func TestABodyThatNobodyReadsDoesNotHoldTheConnection(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"a short answer": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
		"a long answer": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write(make([]byte, 64<<10))
		},
		"an answer in full duplex": func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).EnableFullDuplex()
			w.WriteHeader(http.StatusUnauthorized)
			_ = http.NewResponseController(w).Flush()
		},
		"after one byte": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadFull(r.Body, make([]byte, 1))
			w.WriteHeader(http.StatusUnauthorized)
		},
	} {
		addr := serve(t, h)
		for body, c := range endless {
			if c.drop == "" && name == "after one byte" {
				continue
			}
			t.Run(name+", "+body, func(t *testing.T) {
				t.Parallel()
				got := statuses(trickle(t, addr, "POST / HTTP/1.1\r\nHost: x\r\n"+c.head, c.drop))
				if slices.Contains(got, "100 Continue") {
					got = got[1:]
				}
				if !slices.Equal(got, []string{"401 Unauthorized"}) {
					t.Errorf("got %q, want one answer, 401", got)
				}
			})
		}
	}
}

// A client may send on a connection whose answer it has read, and would lose that request if the server closed it then.
func TestAShortBodyThatNobodyReadsKeepsTheConnection(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"a short answer": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
		"a long answer": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write(make([]byte, 64<<10))
		},
		"in full duplex": func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).EnableFullDuplex()
			w.WriteHeader(http.StatusUnauthorized)
		},
		"the handler closes it": func(w http.ResponseWriter, r *http.Request) {
			_ = r.Body.Close()
			w.WriteHeader(http.StatusUnauthorized)
		},
	} {
		conn := dial(t, "", serve(t, h))
		in := bufio.NewReader(conn)
		for i := range 20 {
			_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
			resp, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatalf("%s, request %d: %v", name, i+1, err)
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusUnauthorized || resp.Close {
				t.Fatalf("%s, request %d: got %d %v, close %v, want 401 on an open connection", name, i+1, resp.StatusCode, err, resp.Close)
			}
		}
	}
}

// What is left of a body must never be taken for the next request.
func TestTheRestOfABodyIsNotARequest(t *testing.T) {
	served := make(chan string, 10)
	addr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served <- r.URL.Path
		_ = http.NewResponseController(w).EnableFullDuplex()
		_, _ = io.WriteString(w, "early\n")
		_ = http.NewResponseController(w).Flush()
	}))
	conn := dial(t, "", addr)
	if _, err := io.WriteString(conn, "POST /first HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-served
	time.Sleep(2 * quick.Drain) // the server stops waiting for the body, and then it arrives
	_, _ = io.WriteString(conn, "GET /second HTTP/1.1\r\nHost: x\r\n\r\n")
	said, _ := io.ReadAll(conn) // an error means that the server has closed the connection, too
	if got := statuses(string(said)); len(got) != 1 || !strings.HasSuffix(string(said), "0\r\n\r\n") {
		t.Errorf("got %q, want one whole answer", said)
	}
	select {
	case path := <-served:
		t.Errorf("%s was served: it is a part of the body", path)
	default:
	}
}

func TestABodyThatKeepsItsPaceMayTakeLong(t *testing.T) {
	pace := Pace{Stall: 2 * time.Second, Rate: 1}
	addr := start(t, Config{
		Patience: quick, Pace: func(*http.Request) Pace { return pace },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(io.Discard, r.Body)
			fmt.Fprintf(w, "%d %v", n, err)
		}),
	}, Limits{PerAddress: 9, Total: 9}, "127.0.0.1")[0]
	body, send := io.Pipe()
	go func() {
		for range 10 {
			time.Sleep(100 * time.Millisecond) // together longer than any time of quick
			_, _ = io.WriteString(send, "x")
		}
		send.Close()
	}()
	resp, err := http.Post("http://"+addr, "text/plain", body)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer resp.Body.Close()
	if said, _ := io.ReadAll(resp.Body); string(said) != "10 <nil>" {
		t.Errorf("the handler read %q, want 10 bytes", said)
	}
}

// The server watches the connection while it works. A deadline of the body must not end a request whose body has arrived.
func TestAServerMayWorkLongerThanABodyMayTake(t *testing.T) {
	addr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		select {
		case <-r.Context().Done():
			t.Error("the request was cancelled while the server worked")
		case <-time.After(3 * quick.Body.Stall): // the server works
		}
	}))
	resp, err := http.Post("http://"+addr, "text/plain", strings.NewReader("whole"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
}

func TestAHandlerMayDecideThePaceItself(t *testing.T) {
	addr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(long)); err != nil {
			t.Errorf("SetReadDeadline: %v", err)
		}
		b, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %v", b, err)
	}))
	conn := dial(t, "", addr)
	_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na")
	time.Sleep(3 * quick.Body.Stall) // longer than the server's own pace allows
	_, _ = io.WriteString(conn, "b")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if said, _ := io.ReadAll(resp.Body); string(said) != "ab <nil>" {
		t.Errorf("got %q, want the whole body", said)
	}
}

func TestAnAnswerThatIsNotReadEndsTheConnection(t *testing.T) {
	for name, write := range map[string]func(w http.ResponseWriter, block []byte) error{
		"written at once": func(w http.ResponseWriter, block []byte) error { _, err := w.Write(block); return err },
		"flushed": func(w http.ResponseWriter, block []byte) error {
			_, _ = w.Write(block)
			return http.NewResponseController(w).Flush()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ended := make(chan error, 1)
			addr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				var err error
				for block := make([]byte, 1<<20); err == nil; {
					err = write(w, block)
				}
				ended <- err
			}))
			_, _ = io.WriteString(dial(t, "", addr), "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			select {
			case <-ended:
			case <-time.After(long):
				t.Errorf("the handler still writes after %s", long)
			}
		})
	}
}

func TestALongAnswerThatIsReadSlowlyArrives(t *testing.T) {
	const size = 16 << 20 // more than the buffers of a connection hold
	addr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n, err := w.Write(make([]byte, size)); n != size || err != nil {
			t.Errorf("Write: got %d %v, want all", n, err)
		}
	}))
	conn := dial(t, "", addr)
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 1<<20), nil)
	if err != nil {
		t.Fatal(err)
	}
	begin, got := time.Now(), int64(0)
	for {
		n, err := io.CopyN(io.Discard, resp.Body, 1<<20)
		got += n
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("after %d bytes and %s: %v", got, time.Since(begin), err)
		}
		time.Sleep(50 * time.Millisecond) // together twice as long as one part may take
	}
	if got != size {
		t.Errorf("got %d bytes, want %d", got, size)
	}
}

func TestSlowHeadersAndIdleConnectionsEnd(t *testing.T) {
	addr := serve(t, http.NotFoundHandler())
	for name, c := range map[string]struct {
		head, drop string
		want       []string
	}{
		"nothing":                 {"", "", nil},
		"a request line":          {"POST /", "a", []string{"400 Bad Request"}},
		"headers":                 {"GET / HTTP/1.1\r\nHost: x\r\n", "X-A: b\r\n", nil},
		"nothing after an answer": {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "", []string{"404 Not Found"}},
		"a byte after an answer":  {"GET / HTTP/1.1\r\nHost: x\r\n\r\nG", "", []string{"404 Not Found"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := statuses(trickle(t, addr, c.head, c.drop)); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
