package kafkametrics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/taskwire/taskwire/local/kafkaconn"
	"github.com/taskwire/taskwire/local/replicagroups"
)

const (
	// shutdownTimeout lets a running scrape end.
	shutdownTimeout = 2 * time.Second
	// headerTimeout closes the connection of a client that sends nothing.
	headerTimeout = 5 * time.Second
)

// Config is what Run needs.
type Config struct {
	Kafka kafkaconn.Settings
	Addr  string // to listen on
	Log   *slog.Logger
}

// Run serves GET /metrics, and removes the consumer groups of replicas that are gone, until ctx is done. Then it
// returns nil. If ready is not nil, it is called with the address.
func Run(ctx context.Context, cfg Config, ready func(addr string)) error {
	client, err := cfg.Kafka.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, stop := context.WithCancel(ctx)
	var cleaning sync.WaitGroup
	defer cleaning.Wait()
	defer stop()
	cleaning.Go(func() { replicagroups.New(client, cfg.Log).Run(ctx) })
	registry := prometheus.NewRegistry()
	registry.MustRegister(New(client, cfg.Log))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	cfg.Log.Info("listening", "addr", listener.Addr().String(), "brokers", cfg.Kafka.Brokers)
	if ready != nil {
		ready(listener.Addr().String())
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return err
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
