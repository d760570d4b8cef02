package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/dapr/dapr/pkg/healthz"
)

// healthTimeout bounds a request for the state of health, on both sides.
const healthTimeout = 3 * time.Second

// serveHealth answers GET /healthz with 204 when every part is ready, else with 503. Dapr's own server would listen on all
// addresses.
func serveHealth(ctx context.Context, address string, health healthz.Healthz) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if !health.IsReady() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	server := &http.Server{Addr: address, Handler: mux, ReadTimeout: healthTimeout, WriteTimeout: healthTimeout}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	select {
	case err := <-ended:
		return fmt.Errorf("health: %w", err)
	case <-ctx.Done():
	}
	if err := server.Close(); err != nil {
		return fmt.Errorf("health: %w", err)
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("health: %w", err)
	}
	return nil
}

// askReady returns nil when the sentry at an address is ready. A container has no other program to ask.
func askReady(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/healthz", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("not ready: status %d", resp.StatusCode)
	}
	return nil
}
