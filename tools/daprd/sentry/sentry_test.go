package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	sentryv1pb "github.com/dapr/dapr/pkg/proto/sentry/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

const (
	sentryID = "spiffe://cluster.local/ns/dapr-system/dapr-sentry"
	appID    = "spiffe://public/ns/taskwire/task-api"
	// patience bounds a wait for what takes milliseconds on an idle machine.
	patience = 30 * time.Second
)

// rig is a sentry that runs in this process, and the key that signs the tokens that it accepts.
type rig struct {
	options options
	key     ed25519.PrivateKey
}

// start runs sentry until the test ends. life is that of the root and issuer certificates.
func start(t *testing.T, life time.Duration) *rig {
	t.Helper()
	t.Setenv("NAMESPACE", "dapr-system")
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	r := &rig{key: key, options: options{
		address: free(t), healthAddress: free(t), metricsAddress: free(t), trustDomain: "cluster.local",
		credentials: filepath.Join(dir, "authority"), anchors: filepath.Join(dir, "ca.crt"), jwks: filepath.Join(dir, "jwks.json"),
		life: life, check: 50 * time.Millisecond, settle: 100 * time.Millisecond,
	}}
	r.publish(t, public)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, r.options) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("sentry ended with %v", err)
		}
	})
	eventually(t, "sentry is ready", func() bool { return askReady(t.Context(), r.options.healthAddress) == nil })
	return r
}

// publish makes a public key the one by which tokens are checked.
func (r *rig) publish(t *testing.T, key ed25519.PublicKey) {
	t.Helper()
	set := fmt.Sprintf(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","alg":"EdDSA","use":"sig","x":%q}]}`, base64.RawURLEncoding.EncodeToString(key))
	if err := os.WriteFile(r.options.jwks, []byte(set), 0o600); err != nil {
		t.Fatal(err)
	}
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("did not happen within %s: %s", patience, what)
		}
	}
}

// token returns a token with claims, signed by key.
func token(t *testing.T, key ed25519.PrivateKey, sub, aud string, expires time.Time) string {
	t.Helper()
	encode := func(v any) string {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	signed := encode(map[string]string{"alg": "EdDSA", "kid": "k"}) + "." + encode(map[string]any{"sub": sub, "aud": aud, "exp": expires.Unix()})
	return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(signed)))
}

// ask asks for a certificate of the task API.
func (r *rig) ask(t *testing.T, change func(*sentryv1pb.SignCertificateRequest)) (*sentryv1pb.SignCertificateResponse, error) {
	t.Helper()
	raw, err := os.ReadFile(r.options.anchors)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(raw)
	conn, err := grpc.NewClient(r.options.address, grpc.WithTransportCredentials(credentials.NewTLS(onlySentry(roots))))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	req := &sentryv1pb.SignCertificateRequest{
		Id: "task-api", Namespace: "taskwire", TokenValidator: sentryv1pb.SignCertificateRequest_JWKS,
		Token:                     token(t, r.key, appID, sentryID, time.Now().Add(time.Hour)),
		CertificateSigningRequest: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr}),
	}
	if change != nil {
		change(req)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return sentryv1pb.NewCAClient(conn).SignCertificate(ctx, req, grpc.WaitForReady(true))
}

// leaf returns the certificate of an answer and reports whether the published roots verify it.
func (r *rig) leaf(t *testing.T, chain []byte) (*x509.Certificate, bool) {
	t.Helper()
	raw, err := os.ReadFile(r.options.anchors)
	if err != nil {
		t.Fatal(err)
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AppendCertsFromPEM(raw)
	block, rest := pem.Decode(chain)
	between.AppendCertsFromPEM(rest)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	_, err = cert.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return cert, err == nil
}

func TestASidecarWithItsTokenGetsItsCertificate(t *testing.T) {
	r := start(t, time.Hour)
	resp, err := r.ask(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	cert, ok := r.leaf(t, resp.GetWorkloadCertificate())
	if !ok || len(cert.URIs) != 1 || cert.URIs[0].String() != appID {
		t.Errorf("certificate for %v, verified %t, want one for %s", cert.URIs, ok, appID)
	}
}

func TestAStrangerGetsNoCertificate(t *testing.T) {
	r := start(t, time.Hour)
	_, foreign, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	soon := time.Now().Add(time.Hour)
	for name, change := range map[string]func(*sentryv1pb.SignCertificateRequest){
		"no token":               func(q *sentryv1pb.SignCertificateRequest) { q.Token = "" },
		"no token, no validator": func(q *sentryv1pb.SignCertificateRequest) { q.Token, q.TokenValidator = "", 0 },
		"the insecure validator": func(q *sentryv1pb.SignCertificateRequest) {
			q.TokenValidator = sentryv1pb.SignCertificateRequest_INSECURE
		},
		"Kubernetes' validator": func(q *sentryv1pb.SignCertificateRequest) {
			q.TokenValidator = sentryv1pb.SignCertificateRequest_KUBERNETES
		},
		"another app":          func(q *sentryv1pb.SignCertificateRequest) { q.Id = "audit" },
		"another namespace":    func(q *sentryv1pb.SignCertificateRequest) { q.Namespace = "default" },
		"another trust domain": func(q *sentryv1pb.SignCertificateRequest) { q.TrustDomain = "cluster.local" },
		"as sentry itself": func(q *sentryv1pb.SignCertificateRequest) {
			q.Id, q.Namespace, q.TrustDomain = "dapr-sentry", "dapr-system", "cluster.local"
		},
		"a token of another key": func(q *sentryv1pb.SignCertificateRequest) { q.Token = token(t, foreign, appID, sentryID, soon) },
		"a token that has ended": func(q *sentryv1pb.SignCertificateRequest) {
			q.Token = token(t, r.key, appID, sentryID, time.Now().Add(-time.Hour))
		},
		"a token for another one": func(q *sentryv1pb.SignCertificateRequest) {
			q.Token = token(t, r.key, appID, "spiffe://elsewhere/sentry", soon)
		},
		"a token without a signature": func(q *sentryv1pb.SignCertificateRequest) {
			q.Token = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." +
				base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"sub":%q,"aud":%q}`, appID, sentryID)) + "."
		},
	} {
		resp, err := r.ask(t, change)
		if code := status.Code(err); (code != codes.PermissionDenied && code != codes.InvalidArgument) || resp != nil {
			t.Errorf("%s: got %v, %v, want a refusal", name, resp, err)
		}
	}
}

func TestNewTokensReplaceTheOldOnesWhileItRuns(t *testing.T) {
	r := start(t, time.Hour)
	old := r.key
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r.key = key
	r.publish(t, public)
	eventually(t, "a token of the new key is accepted", func() bool { _, err := r.ask(t, nil); return err == nil })
	r.key = old
	if _, err := r.ask(t, nil); status.Code(err) != codes.PermissionDenied {
		t.Errorf("a token of the old key: got %v, want a refusal", err)
	}
}

func TestTheAuthorityIsReplacedBeforeItEnds(t *testing.T) {
	r := start(t, 6*time.Second)
	before, err := os.ReadFile(r.options.anchors)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := r.ask(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	first := resp.GetWorkloadCertificate()
	eventually(t, "there is another root", func() bool {
		now, err := os.ReadFile(r.options.anchors)
		return err == nil && string(now) != string(before)
	})
	_, ok := r.leaf(t, first)
	root, err := readCertificates(r.options.anchors)
	if err != nil {
		t.Fatal(err)
	}
	if !ok && len(root) == 2 { // the old root goes when it ends, which a slow test can see
		t.Error("a certificate under the old root is no longer valid before its end")
	}
	issuer := func(chain []byte) string { _, rest := pem.Decode(chain); return string(rest) }
	eventually(t, "certificates are signed by another issuer", func() bool {
		resp, err := r.ask(t, nil)
		if err != nil {
			return false // it restarts
		}
		_, ok := r.leaf(t, resp.GetWorkloadCertificate())
		if !ok {
			t.Error("a certificate under the new root is not valid for those who read the file")
		}
		return issuer(resp.GetWorkloadCertificate()) != issuer(first)
	})
}
