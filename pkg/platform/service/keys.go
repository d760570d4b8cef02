package service

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/taskwire/taskwire/pkg/events/apps"
)

const (
	taskAPI = apps.TaskAPI
	// KeysRoute is the route of the task API's public keys on its Dapr side. It needs no database.
	KeysRoute = "/internal/jwks"
	// keysTimeout bounds one fetch of the public keys, retries of the Dapr client included: requests wait for it.
	keysTimeout = 3 * time.Second
)

// TaskAPIKeys fetches the public keys of the task API's access tokens (a JWKS, RFC 7517) through the sidecar, within
// keysTimeout.
func (s *Service) TaskAPIKeys(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, keysTimeout)
	defer cancel()
	_, keys, err := s.Sidecar.Invoke(ctx, taskAPI, http.MethodGet, KeysRoute, nil)
	if err != nil {
		return nil, fmt.Errorf("fetch the keys of the task API: %w", err)
	}
	return keys, nil
}
