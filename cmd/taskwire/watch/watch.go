// Package watch is the terminal's WebSocket client: it connects as a browser does, prints every frame as one line of
// JSON, and when its connection ends it connects again from the last seq it saw, so it prints each change of the
// user's tasks once and in order (see the protocol in services/websocket).
package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/websocket"
)

const (
	// reconnectDelay is the pause between two connections; the server's own spread of reconnects is not needed for
	// one terminal.
	reconnectDelay = 500 * time.Millisecond
	// handshakeTimeout bounds the HTTP upgrade.
	handshakeTimeout = 5 * time.Second
	// maxFrameBytes bounds one frame of the server: a task with its longest description is far below it.
	maxFrameBytes = 1 << 20
)

// ErrRefused is the answer of a server that will not serve this client however often it asks: a bad token.
var ErrRefused = errors.New("the server refused the connection")

// Config is what to watch.
type Config struct {
	URL   string // of the gateway, as http://localhost:8080
	Token string // an access token
	Since int64  // the seq to go on from; negative: from now on
	Count int    // end after this many events and notifications; 0: never
	Out   io.Writer
	// Warn is told why a connection ended or could not be made, once for each reason in a row. May be nil.
	Warn func(why error)
}

// Run prints frames until ctx is done (its error is returned) or Count frames were seen (nil).
func Run(ctx context.Context, cfg Config) error {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return fmt.Errorf("%q is not an address like http://localhost:8080", cfg.URL)
	}
	origin := u.Scheme + "://" + u.Host
	u.Scheme = map[string]string{"http": "ws", "https": "wss"}[u.Scheme]
	w := &watcher{cfg: cfg, ws: u.JoinPath("ws").String(), origin: origin}
	for last := ""; ; {
		seen := w.seen
		err := w.session(ctx)
		if w.done() {
			return nil
		}
		if errors.Is(err, ErrRefused) {
			return err
		}
		if ctx.Err() == nil {
			if (err.Error() != last || w.seen > seen) && cfg.Warn != nil {
				cfg.Warn(err)
			}
			last = err.Error()
			pause(ctx)
		}
		switch {
		case ctx.Err() == nil:
		case last == "":
			return fmt.Errorf("saw %d of %d frames: %w", w.seen, cfg.Count, ctx.Err())
		default:
			return fmt.Errorf("saw %d of %d frames: %w; before that: %s", w.seen, cfg.Count, ctx.Err(), last)
		}
	}
}

// pause waits until the next connection is due.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(reconnectDelay):
	}
}

type watcher struct {
	cfg        Config
	ws, origin string
	seen       int
}

func (w *watcher) done() bool { return w.cfg.Count > 0 && w.seen >= w.cfg.Count }

// session is one connection, from dialling to its end.
func (w *watcher) session(ctx context.Context) error {
	dialer := websocket.Dialer{Subprotocols: []string{"taskwire.v1"}, HandshakeTimeout: handshakeTimeout, Proxy: http.ProxyFromEnvironment}
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

	auth := map[string]any{"type": "auth", "token": w.cfg.Token}
	if w.cfg.Since >= 0 {
		auth["since"] = w.cfg.Since
	}
	if err := conn.WriteJSON(auth); err != nil {
		return fmt.Errorf("send the auth frame: %w", err)
	}
	for !w.done() {
		_, raw, err := conn.ReadMessage()
		if err != nil {
			return fmt.Errorf("read a frame: %w", err)
		}
		if err := w.take(raw); err != nil {
			return err
		}
	}
	return conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
}

func (w *watcher) take(raw []byte) error {
	var frame struct {
		Type    string `json:"type"`
		Seq     int64  `json:"seq"`
		Message string `json:"message"`
		Retry   *bool  `json:"retry"`
	}
	if err := json.Unmarshal(raw, &frame); err != nil {
		return fmt.Errorf("decode a frame: %w", err)
	}
	if _, err := fmt.Fprintf(w.cfg.Out, "%s\n", raw); err != nil {
		return err
	}
	switch frame.Type {
	case "welcome": // a client that gave no since starts at the head the server names
		if w.cfg.Since < 0 {
			w.cfg.Since = frame.Seq
		}
	case "event":
		w.cfg.Since = frame.Seq
		w.seen++
	case "notification":
		w.seen++
	case "error":
		if frame.Retry != nil && !*frame.Retry {
			return fmt.Errorf("%w: %s", ErrRefused, frame.Message)
		}
	}
	return nil
}
