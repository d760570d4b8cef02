// Package apierror maps the errors of this service to the errors that the public API and the Dapr routes answer with. No
// other package decides which HTTP status an error has.
package apierror

import (
	"errors"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
)

// retrySoon is the Retry-After of a cause that usually ends within a second: a request that is still running, or a queue for
// hashing a password.
const retrySoon = time.Second

// fixed lists the errors whose answer is always the same.
var fixed = []struct {
	err    error
	answer httpx.Error
}{
	{domain.ErrNotFound, httpx.Error{Code: httpx.CodeNotFound, Message: "There is no such task."}},
	{domain.ErrStale, httpx.Error{Code: httpx.CodePreconditionFailed, Message: "The task has another version than the request is for. Its present state is in the member task."}},
	{domain.ErrSeriesEnded, httpx.Error{Code: httpx.CodeConflict, Message: "The series has ended."}},
	{domain.ErrNotDone, httpx.Error{Code: httpx.CodeConflict, Message: "The task is not completed, so it has no next occurrence yet."}},
	{domain.ErrNotRecurring, httpx.Error{Code: httpx.CodeUnprocessable, Message: "The task does not recur, so there is nothing to skip to."}},
	{domain.ErrAlreadyDone, httpx.Error{Code: httpx.CodeConflict, Message: "The task is completed, so it cannot be skipped."}},
	{domain.ErrOccurrenceTaken, httpx.Error{Code: httpx.CodeConflict, Message: "Another task has this place in its series."}},
	{domain.ErrIDTaken, httpx.Error{
		Code: httpx.CodeConflict, Message: "The id cannot be used. Make another one.",
		Fields: []httpx.FieldError{{Field: "id", Message: "cannot be used: make another one"}},
	}},
	{domain.ErrNoRoom, httpx.Error{Code: httpx.CodeConflict, Message: "The tasks at this place are too close together. Move some of them away first."}},
	{tasks.ErrQuota, httpx.Error{Code: httpx.CodeQuota, Message: "The account has as many tasks as it may have. Delete tasks to make room."}},
	{domain.ErrRestoreWindow, httpx.Error{Code: httpx.CodeGone, Message: "The task was deleted more than 30 days ago and cannot be restored."}},
	{tasks.ErrKeyReused, httpx.Error{Code: httpx.CodeUnprocessable, Message: "The Idempotency-Key was used for another request. Use a new key for a new request."}},
	{tasks.ErrKeyRunning, httpx.Error{Code: httpx.CodeConflict, Message: "The first request with this Idempotency-Key is still running.", RetryAfter: retrySoon}},
	{tasks.ErrAnswerTooLarge, httpx.Error{
		Code: httpx.CodeUnprocessable, Message: "Nothing was done: the answer would be larger than the 4 MiB that are kept for an Idempotency-Key. Send fewer operations at once.",
		Fields: []httpx.FieldError{{Field: "operations", Message: "have an answer of more than 4 MiB in total: send fewer with one Idempotency-Key"}},
	}},
	{tasks.ErrTooOld, httpx.Error{Code: httpx.CodeGone, Message: "The changes since then are not kept any more. Start over with /api/v1/sync?since=0."}},
	{tasks.ErrNoUser, httpx.Error{Code: httpx.CodeUnauthorized, Message: "The account does not exist any more."}},
	{accounts.ErrNoUser, httpx.Error{Code: httpx.CodeUnauthorized, Message: "The account does not exist any more."}},
	{accounts.ErrWrong, httpx.Error{Code: httpx.CodeUnauthorized, Message: "E-mail and password do not match. If the e-mail already has an account, use the password of that account."}},
	{accounts.ErrRefused, httpx.Error{Code: httpx.CodeUnauthorized, Message: "The refresh token is not valid. Log in again."}},
	{accounts.ErrNoSession, httpx.Error{Code: httpx.CodeNotFound, Message: "You have no such session. It may have ended."}},
	{accounts.ErrNoPassword, httpx.Error{Code: httpx.CodeConflict, Message: "The account has no password, because its user logs in with an OIDC issuer."}},
	{accounts.ErrLink, httpx.Error{Code: httpx.CodeGone, Message: "The link is not valid any more. It works once and for a limited time. Ask for a new one."}},
	{accounts.ErrNoMail, httpx.Error{Code: httpx.CodeConflict, Message: "This server sends no e-mail: its operator has not configured a mail server (SMTP_URL)."}},
	{accounts.ErrVerified, httpx.Error{Code: httpx.CodeConflict, Message: "The e-mail address is verified already."}},
	{accounts.ErrMailsFull, httpx.Error{Code: httpx.CodeUnavailable, Message: "Too many mails are waiting to be sent. Try again later.", RetryAfter: time.Minute}},
	{accounts.ErrBusy, httpx.Error{Code: httpx.CodeUnavailable, Message: "Too many log-ins at once. Try again.", RetryAfter: retrySoon}},
}

// Of returns the error to answer with. It returns nil for nil, and an error without an entry here unchanged: httpx answers that
// one with its own code, or with 500.
func Of(err error) error {
	var invalid *domain.Invalid
	var event *events.ValidationError
	var limited *accounts.LimitError
	var stale *tasks.StaleError
	var neighbour *domain.NeighbourError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &invalid):
		code := httpx.CodeUnprocessable
		if invalid.Malformed {
			code = httpx.CodeInvalid
		}
		fields := make([]httpx.FieldError, len(invalid.Fields))
		for i, f := range invalid.Fields {
			fields[i] = httpx.FieldError(f)
		}
		return &httpx.Error{Code: code, Message: invalid.Error() + ".", Fields: fields}
	case errors.As(err, &neighbour):
		e := httpx.NotFound("There is no such task.")
		e.Fields = []httpx.FieldError{{Field: neighbour.Field(), Message: "must be the id of another of your tasks"}}
		return e
	case errors.As(err, &limited):
		return httpx.TooManyRequests("Too many attempts. Wait and try again.", max(limited.RetryAfter, retrySoon))
	case errors.As(err, &stale):
		answer := of(domain.ErrStale)
		answer.Task = stale.Task.TaskData
		return answer
	case errors.As(err, &event):
		e := httpx.Unprocessable(event.Field, event.Reason)
		e.Err = err
		return e
	}
	if answer := of(err); answer != nil {
		return answer
	}
	return err
}

// of returns a copy of the fixed answer to an error, or nil.
func of(err error) *httpx.Error {
	for _, f := range fixed {
		if errors.Is(err, f.err) {
			answer := f.answer
			return &answer
		}
	}
	return nil
}
