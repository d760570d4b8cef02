package postgres_test

import (
	"testing"

	"github.com/taskwire/taskwire/pkg/platform/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }
