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
	"github.com/taskwire/taskwire/pkg/platform/outbox"
)

const (
	// maxLetterBytes is what a dead letter may have in the form in which daprd sends it on: Kafka's client in daprd takes
	// 1,000,000 bytes with the CloudEvent around it, the key and the headers.
	maxLetterBytes = 900_000
	// keptOfRefused is how much of the event goes into a second letter when the broker never takes the first. Topics
	// are seldom set to take less.
	keptOfRefused = 32 << 10
	// typeDeadLetter is the type of the CloudEvent.
	typeDeadLetter = "DeadLetter"
)

// letterNamespace is what the ids of dead letters are made in (RFC 9562, section 5.5).
var letterNamespace = uuid.MustParse("0b54ed66-8f0c-5a0e-9d0d-6d1c1f6f4d53")

// deadLetter publishes the event with its reason. nil means that the broker has it.
func (s *Server) deadLetter(ctx context.Context, a *arrival, reason string) error {
	if s.cfg.DeadLetter == nil {
		return errors.New("there is nothing to publish dead letters with")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deadLetterTimeout) // the handler may have used up its own
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
	m := s.letterMessage(a, topic, data)
	err = s.cfg.DeadLetter.PublishEvent(ctx, topic, m)
	if !errors.Is(err, outbox.ErrRefused) || len(letter.Original) <= keptOfRefused {
		return err
	}
	if m.Data, err = cutLetter(letter, keptOfRefused); err != nil {
		return fmt.Errorf("encode dead letter: %w", err)
	}
	return s.cfg.DeadLetter.PublishEvent(ctx, topic, m)
}

// letterMessage gives a letter an id that is the same in every attempt of this consumer with this event.
func (s *Server) letterMessage(a *arrival, topic string, data []byte) outbox.Message {
	id := uuid.NewSHA1(letterNamespace, []byte(s.cfg.Consumer+"\x00"+a.key)).String()
	return outbox.Message{
		Topic: topic, EventID: id, Type: typeDeadLetter, Data: data, TraceParent: a.TraceParent,
		Key: usable(a.userID, id), Subject: usable(a.taskID, id),
	}
}

// usable is s when it is an id that can stand in the metadata of a publish, where a control character would make the
// letter impossible to send. What failed may be anything.
func usable(s, otherwise string) string {
	if s == "" || len(s) > events.MaxName || strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) >= 0 {
		return otherwise
	}
	return s
}

// encodeLetter writes a letter of at most limit bytes on the wire: with the event as JSON, else as base64, which is
// shorter where daprd would escape much, else with the beginning of the event only.
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
	const envelope = 64 << 10 // the reason, each character escaped, and the names
	return cutLetter(letter, (limit-envelope)/4*3)
}

// cutLetter writes a letter that keeps only the first bytes of the event, and says so.
func cutLetter(letter events.DeadLetter, keep int) ([]byte, error) {
	kept := letter.Original[:min(keep, len(letter.Original))]
	letter.Reason = fmt.Sprintf("[original cut to %d of %d bytes] %s", len(kept), len(letter.Original), letter.Reason)
	letter.Original, letter.OriginalEncoding = base64JSON(kept), "base64"
	return letter.Encode()
}

func base64JSON(b []byte) json.RawMessage {
	return json.RawMessage(`"` + base64.StdEncoding.EncodeToString(b) + `"`)
}

// wireSize is how long JSON gets in daprd, which escapes <, > and & with six bytes each (encoding/json, HTMLEscape).
func wireSize(data []byte) int {
	n := len(data)
	for _, c := range [...]string{"<", ">", "&"} {
		n += 5 * bytes.Count(data, []byte(c))
	}
	return n + 3*(bytes.Count(data, []byte("\u2028"))+bytes.Count(data, []byte("\u2029")))
}
