package service

import (
	"context"
	"log/slog"
	"time"
)

const (
	// sidecarGrace is how long the sidecar may take to start before the log reports that it is missing.
	sidecarGrace = 10 * time.Second
	// sidecarPoll is the time between two checks.
	sidecarPoll = time.Second
)

// AwaitSidecar checks until the sidecar answers. It logs once when the sidecar is missing, with what happens meanwhile,
// and once when the missing sidecar has come. It returns nil when the sidecar answers or ctx ends.
func (s *Service) AwaitSidecar(ctx context.Context, meanwhile string) error {
	return awaitSidecar(ctx, s.Sidecar.Ready, s.Log, meanwhile)
}

func awaitSidecar(ctx context.Context, ready func(context.Context) error, log *slog.Logger, meanwhile string) error {
	missing := false
	grace := time.After(sidecarGrace)
	for {
		err := ready(ctx)
		if err == nil {
			if missing {
				log.InfoContext(ctx, "the Dapr sidecar answers now")
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-grace:
			missing = true
			log.WarnContext(ctx, "no Dapr sidecar", "meanwhile", meanwhile, "error", err.Error())
		case <-time.After(sidecarPoll):
		}
	}
}
