package broker

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// maxRequestBytes is Kafka's socket.request.max.bytes. kfake would allocate whatever the first four bytes say: a
	// browser that finds the port ("GET ") makes it 1.2 GB.
	maxRequestBytes = 100 << 20

	// maxGroupRequestBytes bounds the group requests that are kept to be read. A real one is a few hundred bytes.
	maxGroupRequestBytes = 1 << 20

	sizeBytes   = 4               // the length in front of a request
	headerBytes = sizeBytes + 2   // and the request's kind
	bodyStart   = headerBytes + 2 // and its version
)

var errNotKafka = errors.New("not a Kafka request")

// frames follows the requests on one connection as their bytes pass. It looks at the kind of each and keeps the body
// of the few that say what a group member is doing.
type frames struct {
	head [bodyStart]byte
	have int    // bytes of head that came
	left int    // bytes of the body still to come
	body []byte // what came of it, when it is kept
	keep bool
}

// next takes the bytes that were just read, and calls member for each complete request of a group member. An error
// means that the connection does not speak Kafka.
func (f *frames) next(b []byte, member func(request kmsg.Request, clientID string)) error {
	for len(b) > 0 {
		if f.have < bodyStart {
			n := copy(f.head[f.have:], b)
			f.have += n
			b = b[n:]
			if f.have < bodyStart {
				return nil
			}
			if err := f.begin(); err != nil {
				return err
			}
		}
		n := min(f.left, len(b))
		if f.keep {
			f.body = append(f.body, b[:n]...)
		}
		f.left -= n
		b = b[n:]
		if f.left > 0 {
			return nil
		}
		if f.keep {
			if request, clientID, ok := f.parse(); ok {
				member(request, clientID)
			}
		}
		*f = frames{body: f.body[:0]}
	}
	return nil
}

// begin reads the head of a request.
func (f *frames) begin() error {
	size := int(int32(binary.BigEndian.Uint32(f.head[:])))
	kind := int16(binary.BigEndian.Uint16(f.head[sizeBytes:]))
	if size < bodyStart-sizeBytes || size > maxRequestBytes || kmsg.RequestForKey(kind) == nil {
		return fmt.Errorf("%w: size %d, kind %d", errNotKafka, size, kind)
	}
	f.left = size - (bodyStart - sizeBytes)
	switch kmsg.Key(kind) {
	case kmsg.JoinGroup, kmsg.SyncGroup, kmsg.Heartbeat, kmsg.OffsetCommit:
		f.keep = f.left <= maxGroupRequestBytes
	default:
	}
	return nil
}

// parse reads the kept request. One that cannot be read is kfake's to refuse.
func (f *frames) parse() (request kmsg.Request, clientID string, ok bool) {
	request = kmsg.RequestForKey(int16(binary.BigEndian.Uint16(f.head[sizeBytes:])))
	request.SetVersion(int16(binary.BigEndian.Uint16(f.head[headerBytes:])))
	r := kbin.Reader{Src: f.body}
	r.Int32() // the correlation id
	if id := r.NullableString(); id != nil {
		clientID = *id
	}
	if request.IsFlexible() {
		kmsg.SkipTags(&r)
	}
	if !r.Ok() {
		return nil, "", false
	}
	return request, clientID, request.ReadFrom(r.Src) == nil
}
