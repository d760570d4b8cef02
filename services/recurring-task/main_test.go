package main

import (
	"net/http"
	"testing"

	"github.com/taskwire/taskwire/testkit/fakedaprd"
	"github.com/taskwire/taskwire/testkit/servicetest"
)

func TestTheServiceRunsWithoutItsSidecar(t *testing.T) {
	t.Parallel()
	s := servicetest.Start(t, settings{Base: servicetest.Base(t, appID, nil, 0)}, run)
	s.Await(s.Public+"/healthz", http.StatusOK)
	s.Await(s.Public+"/readyz", http.StatusServiceUnavailable, `"sidecar":"unavailable"`)
	s.Await(s.App+"/healthz", http.StatusOK)
}

func TestTheServiceIsReadyWithItsSidecar(t *testing.T) {
	t.Parallel()
	s := servicetest.Start(t, settings{Base: servicetest.Base(t, appID, nil, fakedaprd.New(t).Port)}, run)
	s.Await(s.Public+"/readyz", http.StatusOK, `"sidecar":"ok"`)
}
