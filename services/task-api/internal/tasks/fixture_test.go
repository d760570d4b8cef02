package tasks_test

import (
	"context"
	"testing"

	"github.com/taskwire/taskwire/services/task-api/internal/tasktest"
)

type fixture struct{ *tasktest.Fixture }

func newFixture(t testing.TB) *fixture { return &fixture{tasktest.New(t)} }

func ctx() context.Context { return context.Background() }
