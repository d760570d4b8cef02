package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/sync/errgroup"

	"github.com/taskwire/taskwire/e2e/client"
	"github.com/taskwire/taskwire/local/stack"
	"github.com/taskwire/taskwire/pkg/events/apps"
	"github.com/taskwire/taskwire/pkg/events/live"
)

// answerTimeout is far above the 5 s of the protocol, which the tests of the hub measure with a virtual clock, and far below
// the life of a token, after which a forgotten connection would be closed.
const answerTimeout = 30 * time.Second

// TestEveryAuthFrameIsAnsweredWhateverIsDown stops each part that a connection needs, and connects with and without places.
// The parts hang, which is worse than an end: their connections stay open. The database ends, because its processes that serve
// open connections are others than the one that would be stopped.
func TestEveryAuthFrameIsAnsweredWhateverIsDown(t *testing.T) {
	disturbsShared(t)
	u := client.NewUser(t, shared.URL())
	u.Create(map[string]any{"title": "there is a change"})
	places := map[string]live.Auth{
		"no places":   {Token: u.Token},
		"both places": {Token: u.Token, Since: new(int64(0)), NotificationsSince: new(int64(0))},
	}
	for _, part := range []string{
		apps.TaskAPI, stack.Sidecar(apps.TaskAPI), apps.Notification, stack.Sidecar(apps.Notification), stack.Sidecar(apps.WebSocket), stack.Postgres,
	} {
		t.Run(part, func(t *testing.T) {
			if part == stack.Postgres {
				must(t, shared.Stop(part))
				defer func() { must(t, shared.Start(part)) }()
			} else {
				must(t, shared.Kill(part, syscall.SIGSTOP))
				defer func() { must(t, shared.Kill(part, syscall.SIGCONT)) }()
			}
			var sockets errgroup.Group
			for name, auth := range places {
				sockets.Go(func() error {
					answer, err := firstAnswer(u, auth)
					if err != nil {
						return fmt.Errorf("%s: %w", name, err)
					}
					t.Logf("%s: %s", name, answer)
					return nil
				})
			}
			if err := sockets.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
	client.Eventually(t, client.RecoveryTimeout, "a socket is welcomed again", func() error {
		answer, err := firstAnswer(u, places["no places"])
		if err == nil && !strings.Contains(answer, live.TypeWelcome) {
			err = errors.New(answer)
		}
		return err
	})
}

// firstAnswer sends an auth frame and returns the first frame that answers it, which must be welcome or an error that asks the
// client to come again. The error says what came instead.
func firstAnswer(u *client.User, auth live.Auth) (string, error) {
	dialer := websocket.Dialer{Subprotocols: []string{live.Subprotocol}, HandshakeTimeout: answerTimeout}
	conn, resp, err := dialer.Dial("ws"+strings.TrimPrefix(u.Base, "http")+"/ws", http.Header{"Origin": {u.Base}})
	if err != nil {
		return "", err
	}
	resp.Body.Close()
	defer conn.Close()
	raw, err := auth.Encode()
	if err := errors.Join(err, conn.SetReadDeadline(time.Now().Add(answerTimeout)), conn.WriteMessage(websocket.TextMessage, raw)); err != nil {
		return "", err
	}
	var answer json.RawMessage
	if err := conn.ReadJSON(&answer); err != nil {
		return "", err
	}
	frame, err := live.DecodeServer(answer)
	if err != nil {
		return "", err
	}
	switch frame := frame.(type) {
	case live.Welcome:
		return string(answer), nil
	case live.Error:
		if frame.Action() == live.Reconnect {
			return string(answer), nil
		}
	}
	return "", fmt.Errorf("got %s, want welcome or an error to come again after", answer)
}
