package kafkaconn

import (
	"context"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

const password = "a long secret"

// cluster starts a broker with TLS and one user. It returns the broker's address and the file of its CA.
func cluster(t *testing.T, mechanism string) (addr, ca string) {
	t.Helper()
	server := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate, which is for 127.0.0.1
	t.Cleanup(server.Close)
	k, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(server.TLS), kfake.EnableSASL(), kfake.Superuser(mechanism, "ann", password))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	ca = filepath.Join(t.TempDir(), "ca.crt")
	raw := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(ca, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return k.ListenAddrs()[0], ca
}

func setEnv(t *testing.T, env map[string]string) {
	t.Helper()
	for _, name := range []string{usernameVariable, passwordVariable, mechanismVariable, tlsVariable, caVariable} {
		t.Setenv(name, env[name])
	}
}

// reach returns nil if a client with the environment's settings is let in.
func reach(t *testing.T, addr string) error {
	t.Helper()
	settings, err := FromEnvironment(addr)
	if err != nil {
		return err
	}
	client, err := settings.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	return client.Ping(ctx)
}

func TestAUserLogsInOverTLS(t *testing.T) {
	for mechanism, named := range map[string]string{"SCRAM-SHA-512": "", "SCRAM-SHA-256": "SCRAM-SHA-256", "PLAIN": "PLAIN"} {
		t.Run(mechanism, func(t *testing.T) {
			addr, ca := cluster(t, mechanism)
			setEnv(t, map[string]string{usernameVariable: "ann", passwordVariable: password, caVariable: ca, mechanismVariable: named})
			if err := reach(t, addr); err != nil {
				t.Errorf("Ping: %v", err)
			}
		})
	}
}

func TestAWrongLoginIsRefused(t *testing.T) {
	addr, ca := cluster(t, "SCRAM-SHA-512")
	for name, env := range map[string]map[string]string{
		"another password": {usernameVariable: "ann", passwordVariable: "guess", caVariable: ca},
		"no user":          {caVariable: ca},
		"another CA":       {usernameVariable: "ann", passwordVariable: password},
		"no TLS":           {usernameVariable: "ann", passwordVariable: password, tlsVariable: "false"},
	} {
		setEnv(t, env)
		if err := reach(t, addr); err == nil {
			t.Errorf("%s: was let in", name)
		}
	}
}

func TestAWrongSettingIsNamedWithoutThePassword(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.crt")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, env := range map[string]map[string]string{
		usernameVariable:            {passwordVariable: password},
		passwordVariable:            {usernameVariable: "ann"},
		tlsVariable:                 {tlsVariable: "perhaps"},
		mechanismVariable:           {usernameVariable: "ann", passwordVariable: password, mechanismVariable: "GSSAPI"},
		caVariable + ": open":       {caVariable: empty + "x"},
		"has no certificate in PEM": {caVariable: empty},
	} {
		setEnv(t, env)
		_, err := FromEnvironment("127.0.0.1:9092")
		if !errors.Is(err, ErrSettings) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), password) {
			t.Errorf("%v: got %v, want an error with %q and without the password", env, err, want)
		}
	}
}

func TestWithoutSettingsTheConnectionIsPlain(t *testing.T) {
	setEnv(t, nil)
	k, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	if err := reach(t, k.ListenAddrs()[0]); err != nil {
		t.Errorf("Ping: %v", err)
	}
}
