package stack

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"
)

// maxPingBody is how much of a readiness answer is read, so that the connection ends in order.
const maxPingBody = 64 << 10

// pingClient keeps no connections: a part that is asked every 2 s needs none open.
var pingClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// pingHTTP is ready when url answers 2xx.
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

// pingPostgres is ready when the server answers a query.
func pingPostgres(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return err
		}
		defer conn.Close(context.WithoutCancel(ctx)) // it was only asked
		return conn.Ping(ctx)
	}
}

// pingKafka is ready when a broker answers.
func pingKafka(brokers string) func(context.Context) error {
	return func(ctx context.Context) error {
		seeds := strings.Split(brokers, ",")
		// A refused connection is known at once here; the client below would try again until ctx ends.
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", seeds[0])
		if err != nil && len(seeds) == 1 {
			return err
		}
		if err == nil {
			conn.Close()
		}
		client, err := kgo.NewClient(kgo.SeedBrokers(seeds...))
		if err != nil {
			return err
		}
		defer client.Close()
		return client.Ping(ctx)
	}
}
