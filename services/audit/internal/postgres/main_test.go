package postgres_test

import (
	"testing"

	"github.com/taskwire/taskwire/testkit/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }
