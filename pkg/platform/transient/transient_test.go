package transient_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/taskwire/taskwire/pkg/platform/transient"
)

// says is an error that judges itself.
type says bool

func (s says) Error() string   { return fmt.Sprint("transient: ", bool(s)) }
func (s says) Transient() bool { return bool(s) }

var errRegistered, errRegisteredLost = errors.New("known and transient"), fmt.Errorf("known and final: %w", io.EOF)

func TestMain(m *testing.M) {
	transient.Register(func(err error) (transient, known bool) {
		return errors.Is(err, errRegistered), errors.Is(err, errRegistered) || errors.Is(err, errRegisteredLost)
	})
	transient.Register(func(err error) (transient, known bool) { return true, errors.Is(err, errRegisteredLost) })
	m.Run()
}

func TestIsByKindOfError(t *testing.T) {
	wrap := func(err error) error { return fmt.Errorf("load: %w", err) }
	for name, tc := range map[string]struct {
		err  error
		want bool
	}{
		"nil":                                  {nil, false},
		"an error of the domain":               {errors.New("title is empty"), false},
		"an error that says yes":               {wrap(says(true)), true},
		"an error that says no":                {wrap(says(false)), false},
		"a time limit":                         {wrap(context.DeadlineExceeded), true},
		"the caller gave up":                   {wrap(context.Canceled), false},
		"given up, but the error says yes":     {errors.Join(context.Canceled, says(true)), true},
		"a refused connection":                 {wrap(&net.OpError{Op: "dial", Err: errors.New("refused")}), true},
		"a lost connection":                    {wrap(io.ErrUnexpectedEOF), true},
		"a connection that the pool took back": {sql.ErrConnDone, true},
		"registered as transient":              {wrap(errRegistered), true},
		"the first classifier decides":         {wrap(errRegisteredLost), false},
	} {
		if got := transient.Is(tc.err); got != tc.want {
			t.Errorf("%s: Is(%v) = %v, want %v", name, tc.err, got, tc.want)
		}
	}
}
