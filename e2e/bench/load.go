package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/uuid"
)

// taskBody is the request body of every create.
const taskBody = `{"title":"a task of the bench","priority":"high","tags":["bench"]}`

// createRate creates tasks at base for the length of the arm, with one connection for each account and an Idempotency-Key
// for each task. It writes and reads HTTP/1.1 by hand: the client shares the machine with the service, and net/http would
// cost a quarter of what the service costs.
func createRate(ctx context.Context, base string, users []*account, arm time.Duration) (rate float64, creates int64, err error) {
	u, err := url.Parse(base)
	if err != nil {
		return 0, 0, err
	}
	var done atomic.Int64
	errs := make([]error, len(users))
	begin := time.Now()
	var wg sync.WaitGroup
	for i, a := range users {
		wg.Go(func() {
			errs[i] = createUntil(ctx, u.Host, a.token, begin.Add(arm), &done)
		})
	}
	wg.Wait()
	n := done.Load()
	return float64(n) / time.Since(begin).Seconds(), n, errors.Join(errs...)
}

// patience is far longer than any create takes here.
const patience = 30 * time.Second

func createUntil(ctx context.Context, host, token string, end time.Time, done *atomic.Int64) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(end.Add(patience)); err != nil {
		return err
	}
	head := fmt.Appendf(nil, "POST /api/v1/tasks HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nIdempotency-Key: ",
		host, token, len(taskBody))
	answers := bufio.NewReader(conn)
	var request []byte
	for time.Now().Before(end) && ctx.Err() == nil {
		request = append(append(append(append(request[:0], head...), uuid.NewString()...), "\r\n\r\n"...), taskBody...)
		if _, err := conn.Write(request); err != nil {
			return err
		}
		if err := readCreated(answers); err != nil {
			return err
		}
		done.Add(1)
	}
	return ctx.Err()
}

// readCreated reads one answer, which must be a 201 with a Content-Length.
func readCreated(r *bufio.Reader) error {
	status, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 201 ")) {
		rest, _ := r.Peek(r.Buffered())
		return fmt.Errorf("create: %s%s", status, rest)
	}
	length := -1
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			break
		}
		if name, value, _ := bytes.Cut(line, []byte(": ")); bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return errors.New("create: an answer without Content-Length")
	}
	_, err = r.Discard(length)
	return err
}

// ownCPU returns the CPU time of this process, which is the client.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
