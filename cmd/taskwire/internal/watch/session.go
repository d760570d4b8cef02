package watch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gorilla/websocket"

	"github.com/taskwire/taskwire/pkg/events/live"
)

// This file has one connection: what is sent, what each frame changes, and whether its end is final.

const (
	// handshakeTimeout bounds the HTTP upgrade.
	handshakeTimeout = 5 * time.Second
	// closeTimeout bounds the sending of the close frame.
	closeTimeout = time.Second
	// maxFrameBytes bounds one frame of the server. The largest task has 70 kB.
	maxFrameBytes = 1 << 20
)

// session connects and prints frames until the connection ends. It returns nil when the count is reached, ErrRefused when
// another attempt cannot succeed, and else why the connection ended.
func (w *watcher) session(ctx context.Context) error {
	dialer := websocket.Dialer{Subprotocols: []string{live.Subprotocol}, HandshakeTimeout: handshakeTimeout, Proxy: http.ProxyFromEnvironment}
	conn, resp, err := dialer.DialContext(ctx, w.ws, http.Header{"Origin": {w.origin}})
	if err != nil {
		if resp != nil { // an answer, but no upgrade; the library has closed its body
			return fmt.Errorf("connect to %s: answered %s", w.ws, resp.Status)
		}
		return fmt.Errorf("connect to %s: %w", w.ws, err)
	}
	resp.Body.Close()
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	conn.SetReadLimit(maxFrameBytes)
	if err := w.authenticate(conn); err != nil {
		return err
	}
	var said error // the server's last error frame
	for !w.done() {
		_, raw, err := conn.ReadMessage()
		if err != nil {
			return ended(err, said)
		}
		if _, err := fmt.Fprintf(w.cfg.Out, "%s\n", raw); err != nil {
			return fmt.Errorf("print a frame: %w", err)
		}
		frame, err := live.DecodeServer(raw)
		switch {
		case errors.Is(err, live.ErrUnknownFrame):
		case err != nil:
			return err
		default:
			if said = w.take(frame); errors.Is(said, ErrRefused) {
				return said
			}
		}
	}
	return conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(closeTimeout))
}

func (w *watcher) authenticate(conn *websocket.Conn) error {
	auth := live.Auth{Token: w.cfg.Token}
	if w.cfg.Since >= 0 {
		auth.Since = &w.cfg.Since
	}
	if w.cfg.NotificationsSince >= 0 {
		auth.NotificationsSince = &w.cfg.NotificationsSince
	}
	raw, err := auth.Encode()
	if err != nil {
		return err
	}
	if err := conn.WriteMessage(websocket.TextMessage, raw); err != nil {
		return fmt.Errorf("send the auth frame: %w", err)
	}
	return nil
}

// take records what a frame changes. It returns an error for an error frame.
func (w *watcher) take(frame live.ServerFrame) error {
	switch frame := frame.(type) {
	case live.Welcome:
		w.renewed = false
		w.pauses.Reset()
		if w.cfg.Since < 0 { // a client without since starts at the head that the server names
			w.cfg.Since = frame.Seq
		}
		if w.cfg.NotificationsSince < 0 && frame.NotificationSeq != nil { // else a resync frame follows
			w.cfg.NotificationsSince = *frame.NotificationSeq
		}
	case live.Event:
		w.cfg.Since = max(w.cfg.Since, frame.Seq) // an event of an older version has the number 0
		w.seen++
	case live.Notification:
		w.cfg.NotificationsSince = max(w.cfg.NotificationsSince, frame.NotificationSeq)
		w.seen++
	case live.Resync:
		switch frame.Stream {
		case live.StreamTasks:
			w.cfg.Since = frame.Seq
		case live.StreamNotifications:
			w.cfg.NotificationsSince = frame.Seq
		}
	case live.Error:
		if action := frame.Action(); action != live.Reconnect {
			return &refusal{frame.Message, action, frame.Code == live.TokenExpired.String()}
		}
		w.pauses.asked = frame.RetryAfter()
		return errors.New(frame.Message)
	}
	return nil
}

// ended returns why a connection ended: the server's words, or the close code where the error frame did not arrive.
func ended(err, said error) error {
	closed, ok := errors.AsType[*websocket.CloseError](err)
	if !ok {
		if said != nil {
			return fmt.Errorf("the server closed the connection: %w", said)
		}
		return fmt.Errorf("read a frame: %w", err)
	}
	code := live.Code(closed.Code)
	if action := code.Action(); action != live.Reconnect {
		message := live.Codes[code].Message
		if message == "" {
			message = closed.Error()
		}
		return &refusal{message, action, code == live.TokenExpired}
	}
	if said != nil {
		return fmt.Errorf("the server closed the connection: %w", said)
	}
	return fmt.Errorf("read a frame: %w", err)
}
