package broker

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestRequestsAreReadInPiecesOfAnySize(t *testing.T) {
	t.Parallel()
	formatter := kmsg.NewRequestFormatter(kmsg.FormatterClientID("me"))
	var stream []byte
	var want []int16
	for i, version := range []int16{0, 3, 4, 6, 9} {
		join := kmsg.NewPtrJoinGroupRequest()
		join.Group, join.MemberID, join.ProtocolType = "readers", "m", "consumer"
		join.SetVersion(version)
		stream = append(stream, formatter.AppendRequest(nil, kmsg.NewPtrMetadataRequest(), 1)...)
		stream = append(stream, formatter.AppendRequest(nil, join, int32(i))...)
		beat := kmsg.NewPtrHeartbeatRequest()
		beat.Group, beat.MemberID = "readers", "m"
		beat.SetVersion(min(version, 4))
		stream = append(stream, formatter.AppendRequest(nil, beat, int32(i))...)
		want = append(want, join.Key(), beat.Key())
	}
	for _, step := range []int{1, 3, 4, 8, 17, len(stream)} {
		var f frames
		var got []int16
		for at := 0; at < len(stream); at += step {
			err := f.next(stream[at:min(at+step, len(stream))], func(r kmsg.Request) {
				switch r := r.(type) {
				case *kmsg.JoinGroupRequest:
					if r.Group != "readers" || r.MemberID != "m" {
						t.Errorf("JoinGroup v%d = group %q member %q, want readers and m", r.Version, r.Group, r.MemberID)
					}
				case *kmsg.HeartbeatRequest:
					if r.Group != "readers" || r.MemberID != "m" {
						t.Errorf("Heartbeat v%d = group %q member %q, want readers and m", r.Version, r.Group, r.MemberID)
					}
				}
				got = append(got, r.Key())
			})
			if err != nil {
				t.Fatalf("next in steps of %d = %v", step, err)
			}
		}
		if len(got) != len(want) {
			t.Fatalf("requests in steps of %d = %v, want %v", step, got, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("request %d in steps of %d = %d, want %d", i, step, got[i], want[i])
			}
		}
	}
}

func TestAClientThatSpeaksNoKafkaIsCutOff(t *testing.T) {
	t.Parallel()
	addr, _ := start(t, Config{Topics: []events.Topic{{Name: "orders", Partitions: 1}}})
	for name, sent := range map[string]string{
		"HTTP":                "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"an unknown request":  "\x00\x00\x00\x08\x7f\x00\x00\x00\x00\x00\x00\x00",
		"a negative size":     "\xff\xff\xff\xff\x00\x03\x00\x00",
		"TLS":                 "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"a request too short": "\x00\x00\x00\x01\x00\x03\x00\x00",
	} {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, sent); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil || isTimeout(err) {
			t.Errorf("after %s: read = %d bytes, %v, want the connection closed", name, n, err)
		}
		c.Close()
	}
	if err := newClient(t, addr).ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Value: []byte("x")}).FirstErr(); err != nil {
		t.Errorf("produce afterwards = %v", err)
	}
}

func isTimeout(err error) bool {
	ne, ok := err.(net.Error) //nolint:errorlint // straight from the connection
	return ok && ne.Timeout()
}
