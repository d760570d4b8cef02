// Package transient answers one question about an error: can the same call succeed later, without a change to it?
//
// Handlers answer 503 for such an error and subscribers ask for the event again, whatever technology the error comes
// from. So this package imports none: an error can say so itself with a method Transient() bool, and a package whose
// driver's errors cannot do that registers a Classifier in its init function, as package postgres does. A service that
// does not link such a package links no classifier either, and none of its errors needs one.
package transient

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"sync/atomic"
)

// Classifier judges the errors of one technology. known is false for an error that is none of them; then transient has
// no meaning and the next Classifier is asked.
type Classifier func(err error) (transient, known bool)

var classifiers atomic.Pointer[[]Classifier]

// Register adds a classifier for the whole process. It is called in init functions.
func Register(c Classifier) {
	for {
		before := classifiers.Load()
		var all []Classifier
		if before != nil {
			all = append(all, *before...)
		}
		all = append(all, c)
		if classifiers.CompareAndSwap(before, &all) {
			return
		}
	}
}

// Is reports whether the call that failed with err can succeed later: the error says so itself, a time limit was
// reached, a registered classifier says so, or a connection was refused or lost. It is false for nil, and for a call
// that the caller gave up (context.Canceled) unless the error says otherwise itself.
//
// It does not tell whether the call had its effect.
func Is(err error) bool {
	var self interface{ Transient() bool }
	if errors.As(err, &self) && self.Transient() {
		return true
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	if all := classifiers.Load(); all != nil {
		for _, classify := range *all {
			if transient, known := classify(err); known {
				return transient
			}
		}
	}
	return ConnectionLost(err)
}

// ConnectionLost reports whether err is a connection, of the network or of a database/sql pool, that could not be made
// or that ended.
func ConnectionLost(err error) bool {
	var network net.Error
	return errors.As(err, &network) ||
		errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, io.EOF) ||
		errors.Is(err, net.ErrClosed)
}
