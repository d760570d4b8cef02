// How the stack asks whether a part is ready.

package stack

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/taskwire/taskwire/local/kafkaconn"
)

// maxPingBody bounds how much of a readiness answer is read.
const maxPingBody = 64 << 10

// pingClient keeps no connections open: it asks each part every 2 s only.
var pingClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// pingHTTP reports ready when url answers 2xx.
func pingHTTP(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return err
		}
		resp, err := pingClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxPingBody))
		if resp.StatusCode/100 != 2 {
			return fmt.Errorf("status %d: %s", resp.StatusCode, strings.Join(strings.Fields(string(body)), " "))
		}
		return nil
	}
}

// pingPostgres reports ready when the server answers a query.
func pingPostgres(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return err
		}
		defer conn.Close(context.WithoutCancel(ctx))
		return conn.Ping(ctx)
	}
}

// pingKafka reports ready when a broker answers and lets the user in.
func pingKafka(at kafkaconn.Settings) func(context.Context) error {
	return func(ctx context.Context) error {
		seeds := strings.Split(at.Brokers, ",")
		// A refused connection is an error at once here. The client below would try again until ctx ends.
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", seeds[0])
		if err != nil && len(seeds) == 1 {
			return err
		}
		if err == nil {
			conn.Close()
		}
		client, err := at.Client()
		if err != nil {
			return err
		}
		defer client.Close()
		return client.Ping(ctx)
	}
}
