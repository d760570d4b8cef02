package intruder

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"slices"
	"time"

	common "github.com/dapr/dapr/pkg/proto/common/v1"
	internals "github.com/dapr/dapr/pkg/proto/internals/v1"
	runtime "github.com/dapr/dapr/pkg/proto/runtime/v1"
	sentry "github.com/dapr/dapr/pkg/proto/sentry/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"
)

// call is one gRPC method with a message.
type call struct {
	method string
	in     proto.Message
	out    proto.Message
}

// refusals are the codes of a port that did not do what was asked. A code of the app behind it would be none of them.
var refusals = []codes.Code{
	codes.Unavailable, codes.Unauthenticated, codes.PermissionDenied, codes.Unimplemented, codes.DeadlineExceeded,
}

const (
	invocation = "/dapr.proto.internals.v1.ServiceInvocation/"
	api        = "/dapr.proto.runtime.v1.Dapr/"
)

// invoke returns a message for the internal port of a sidecar.
func invoke(app, method string, verb common.HTTPExtension_Verb, query, body string) *internals.InternalInvokeRequest {
	return &internals.InternalInvokeRequest{
		Ver: internals.APIVersion_V1,
		Message: &common.InvokeRequest{
			Method: method, ContentType: "application/json", Data: &anypb.Any{Value: []byte(body)},
			HttpExtension: &common.HTTPExtension{Verb: verb, Querystring: query},
		},
		Metadata: map[string]*internals.ListStringValue{"dapr-caller-app-id": {Values: []string{"websocket"}}},
		Actor:    &internals.Actor{ActorType: app, ActorId: "any"},
	}
}

// calls returns the methods of a sidecar's two gRPC ports.
func (p Plan) calls() []call {
	get, post := common.HTTPExtension_GET, common.HTTPExtension_POST
	var all []call
	for _, app := range p.Apps {
		for _, m := range []*internals.InternalInvokeRequest{
			invoke(app, "internal/jwks", get, "", ""),
			invoke(app, "internal/changes", get, "user_id="+p.UserID+"&since=0", ""),
			invoke(app, "internal/heads", post, "", `{"user_ids":["`+p.UserID+`"]}`),
			invoke(app, "internal/successors", post, "", `{}`),
			invoke(app, "internal/checkpoint", get, "", ""),
			invoke(app, "internal/checkpoints", post, "", `{}`),
		} {
			all = append(all,
				call{invocation + "CallLocal", m, &internals.InternalInvokeResponse{}},
				call{invocation + "CallActor", m, &internals.InternalInvokeResponse{}},
				call{invocation + "CallActorStream", m, &internals.InternalInvokeResponse{}},
				call{invocation + "CallLocalStream", &internals.InternalInvokeRequestStream{Request: m}, &internals.InternalInvokeResponseStream{}},
				call{api + "InvokeService", &runtime.InvokeServiceRequest{Id: app, Message: m.GetMessage()}, &common.InvokeResponse{}},
			)
		}
	}
	return append(all,
		call{invocation + "CallActorReminder", &internals.Reminder{ActorType: "any", ActorId: "any", Name: "any"}, &emptypb.Empty{}},
		call{api + "GetMetadata", &runtime.GetMetadataRequest{}, &runtime.GetMetadataResponse{}},
		call{api + "GetState", &runtime.GetStateRequest{StoreName: "statestore", Key: "any"}, &runtime.GetStateResponse{}},
		call{api + "SaveState", &runtime.SaveStateRequest{StoreName: "statestore", States: []*common.StateItem{{Key: "any", Value: []byte("1")}}}, &emptypb.Empty{}},
		call{api + "GetBulkSecret", &runtime.GetBulkSecretRequest{StoreName: "kubernetes-secrets"}, &runtime.GetBulkSecretResponse{}},
		call{api + "PublishEvent", &runtime.PublishEventRequest{PubsubName: "kafka-pubsub", Topic: "task-events", Data: []byte("{}")}, &emptypb.Empty{}},
		call{api + "InvokeBinding", &runtime.InvokeBindingRequest{Name: "reminder-cron", Operation: "get"}, &runtime.InvokeBindingResponse{}},
		call{api + "Shutdown", &runtime.ShutdownRequest{}, &emptypb.Empty{}},
	)
}

// tryGRPC makes every call in plain text, and over TLS with a certificate that the intruder made for himself.
func (p Plan) tryGRPC(ctx context.Context, port Port, report func(string, ...any)) {
	own, err := selfMade("websocket")
	if err != nil {
		report("make a certificate: %v", err)
		return
	}
	anything := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12} //nolint:gosec // G402: a stranger trusts anybody
	withOwn := anything.Clone()
	withOwn.Certificates = []tls.Certificate{own}
	for name, creds := range map[string]credentials.TransportCredentials{
		"in plain text":                          insecure.NewCredentials(),
		"over TLS without a certificate":         credentials.NewTLS(anything),
		"over TLS with a certificate of his own": credentials.NewTLS(withOwn),
	} {
		conn, err := grpc.NewClient(fmt.Sprintf("127.0.0.1:%d", port.Number), grpc.WithTransportCredentials(creds))
		if err != nil {
			report("gRPC: %v", err)
			continue
		}
		for _, c := range p.calls() {
			err := perform(ctx, conn, c)
			if !slices.Contains(refusals, status.Code(err)) {
				report("%s %s: %v, want a refusal", c.method, name, err)
			}
			if status.Code(err) == codes.Unavailable {
				break // no connection at all
			}
		}
		conn.Close()
	}
}

func perform(ctx context.Context, conn *grpc.ClientConn, c call) error {
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(ctx, "dapr-api-token", "guessed", "dapr-app-id", "task-api"), attemptTimeout)
	defer cancel()
	return conn.Invoke(ctx, c.method, c.in, proto.Clone(c.out))
}

// selfMade returns a certificate with an app's identity that the app's authority has not signed.
func selfMade(app string) (tls.Certificate, error) {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		URIs:        []*url.URL{{Scheme: "spiffe", Host: "public", Path: "/ns/taskwire/" + app}},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// trySentry asks for a certificate of each app, with every validator, without a token and with one that nobody signed.
func (p Plan) trySentry(ctx context.Context, port Port, report func(string, ...any)) {
	anything := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12} //nolint:gosec // G402: a stranger trusts anybody
	conn, err := grpc.NewClient(fmt.Sprintf("127.0.0.1:%d", port.Number), grpc.WithTransportCredentials(credentials.NewTLS(anything)))
	if err != nil {
		report("sentry: %v", err)
		return
	}
	defer conn.Close()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		report("sentry: %v", err)
		return
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		report("sentry: %v", err)
		return
	}
	forged := "eyJhbGciOiJub25lIn0.eyJzdWIiOiJzcGlmZmU6Ly9wdWJsaWMvbnMvdGFza3dpcmUvd2Vic29ja2V0In0."
	for _, app := range append(slices.Clone(p.Apps), "dapr-sentry") {
		for validator := range sentry.SignCertificateRequest_TokenValidator_name {
			for _, token := range []string{"", forged} {
				req := &sentry.SignCertificateRequest{
					Id: app, Namespace: "taskwire", Token: token, TokenValidator: sentry.SignCertificateRequest_TokenValidator(validator),
					CertificateSigningRequest: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr}),
				}
				err := perform(ctx, conn, call{"/dapr.proto.sentry.v1.CA/SignCertificate", req, &sentry.SignCertificateResponse{}})
				switch status.Code(err) {
				case codes.OK:
					report("a certificate of %s, validator %d", app, validator)
				case codes.Unavailable:
					return
				default: // refused
				}
			}
		}
	}
}
