package subscribe

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/dapr"
)

const (
	// maxLetterBytes bounds a dead letter as daprd sends it to Kafka. daprd's Kafka client takes 1,000,000 bytes, which
	// include the CloudEvent around the letter, the key and the headers.
	maxLetterBytes = 900_000
	// keptOfRefused is how many bytes of the event a second letter keeps when the broker refuses the first. A topic's
	// limit is seldom lower.
	keptOfRefused = 32 << 10
	// typeDeadLetter is the type of the CloudEvent.
	typeDeadLetter = "DeadLetter"
)

// letterNamespace is the namespace of the dead letters' ids (UUID version 5, RFC 9562, section 5.5).
var letterNamespace = uuid.MustParse("0b54ed66-8f0c-5a0e-9d0d-6d1c1f6f4d53")

// deadLetter publishes the event with its reason. It returns nil when the broker has acknowledged it.
func (s *Server) deadLetter(ctx context.Context, a *arrival, reason string) error {
	if s.cfg.DeadLetter == nil {
		return errors.New("no publisher for dead letters is configured")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deadLetterTimeout) // the handler may have used up the time of ctx
	defer cancel()
	letter := events.DeadLetter{
		EventID: a.eventID, Topic: a.Topic, Consumer: s.cfg.Consumer, Reason: reason, FailedAt: time.Now(), Original: a.Raw,
	}
	if len(letter.Original) == 0 {
		letter.Original = a.body
	}
	data, err := encodeLetter(letter, maxLetterBytes)
	if err != nil {
		return fmt.Errorf("encode dead letter: %w", err)
	}
	topic := events.DeadLetterTopic(a.Topic)
	e := s.letterEvent(a, data)
	err = s.cfg.DeadLetter.PublishEvent(ctx, topic, e)
	if !errors.Is(err, dapr.ErrRefused) || len(letter.Original) <= keptOfRefused {
		return err
	}
	if e.Data, err = cutLetter(letter, keptOfRefused); err != nil {
		return fmt.Errorf("encode dead letter: %w", err)
	}
	return s.cfg.DeadLetter.PublishEvent(ctx, topic, e)
}

// letterEvent gives a letter an id that is the same in every attempt of this consumer with this event.
func (s *Server) letterEvent(a *arrival, data []byte) dapr.Event {
	id := uuid.NewSHA1(letterNamespace, []byte(s.cfg.Consumer+"\x00"+a.key)).String()
	return dapr.Event{
		ID: id, Type: typeDeadLetter, Data: data, TraceParent: a.TraceParent,
		Key: usable(a.userID, id), Subject: usable(a.taskID, id),
	}
}

// usable returns s when it can be metadata of a publish, and otherwise the alternative. The failed event may hold any
// text, and a control character in the metadata would make the letter impossible to send.
func usable(s, otherwise string) string {
	if s == "" || len(s) > events.MaxName || strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) >= 0 {
		return otherwise
	}
	return s
}

// encodeLetter encodes a letter of at most limit bytes on the wire. It tries the event as JSON, then as base64, which is
// shorter when daprd would escape many characters, then only the beginning of the event.
func encodeLetter(letter events.DeadLetter, limit int) ([]byte, error) {
	data, err := letter.Encode()
	if err != nil || wireSize(data) <= limit {
		return data, err
	}
	whole := letter
	whole.Original, whole.OriginalEncoding = base64JSON(letter.Original), "base64"
	if data, err = whole.Encode(); err != nil || wireSize(data) <= limit {
		return data, err
	}
	const envelope = 64 << 10 // the reason, with every character escaped, and the names
	return cutLetter(letter, (limit-envelope)/4*3)
}

// cutLetter encodes a letter with only the first keep bytes of the event. Its reason says so.
func cutLetter(letter events.DeadLetter, keep int) ([]byte, error) {
	kept := letter.Original[:min(keep, len(letter.Original))]
	letter.Reason = fmt.Sprintf("[original cut to %d of %d bytes] %s", len(kept), len(letter.Original), letter.Reason)
	letter.Original, letter.OriginalEncoding = base64JSON(kept), "base64"
	return letter.Encode()
}

func base64JSON(b []byte) json.RawMessage {
	return json.RawMessage(`"` + base64.StdEncoding.EncodeToString(b) + `"`)
}

// wireSize returns the length that JSON has when daprd sends it: daprd escapes <, > and & with six bytes each
// (encoding/json, HTMLEscape).
func wireSize(data []byte) int {
	n := len(data)
	for _, c := range [...]string{"<", ">", "&"} {
		n += 5 * bytes.Count(data, []byte(c))
	}
	return n + 3*(bytes.Count(data, []byte("\u2028"))+bytes.Count(data, []byte("\u2029")))
}
