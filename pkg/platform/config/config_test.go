package config

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// clean unsets every variable of Base for the test.
func clean(t *testing.T) {
	t.Helper()
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, "DAPR_") || strings.HasPrefix(name, "OTEL_") {
			unset(t, name)
		}
	}
	for _, name := range []string{"HTTP_ADDR", "APP_ADDR", "APP_API_TOKEN", "SECRET_STORE", "SECRETS_FILE", "LOG_LEVEL", "SHUTDOWN_TIMEOUT", "POD_NAME"} {
		unset(t, name)
	}
}

func unset(t *testing.T, name string) {
	t.Helper()
	t.Setenv(name, "") // restores it after the test
	if err := os.Unsetenv(name); err != nil {
		t.Fatal(err)
	}
}

type service struct {
	Base
	Argon2MB int  `env:"ARGON2_MB" envDefault:"19"`
	Open     bool `env:"OPEN_REGISTRATION" envDefault:"true"`
}

func (s service) Validate() error {
	if s.Argon2MB > 1024 {
		return errors.New("ARGON2_MB is above 1024")
	}
	return nil
}

func TestDefaultsAreThoseOfTheContract(t *testing.T) {
	clean(t)
	t.Setenv("APP_API_TOKEN", "token")
	got, err := Load[service]()
	if err != nil {
		t.Fatal(err)
	}
	want := service{Argon2MB: 19, Open: true, Base: Base{
		HTTPAddr: ":8080", AppAddr: "127.0.0.1:8081", DaprHTTPPort: 3500, DaprGRPCPort: 50001, DaprPubSub: "kafka-pubsub",
		AppAPIToken: "token", DaprStateStore: "statestore", SecretStore: "kubernetes-secrets", LogLevel: "info", ShutdownTimeout: 15 * time.Second,
		TrustedProxies: []string{"127.0.0.1/32", "::1/128"},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestEverySettingCanBeOverridden(t *testing.T) {
	clean(t)
	for name, value := range map[string]string{
		"HTTP_ADDR": "127.0.0.1:1", "APP_ADDR": "127.0.0.1:2", "DAPR_HTTP_PORT": "3", "DAPR_GRPC_PORT": "4", "DAPR_PUBSUB_NAME": "p",
		"DAPR_API_TOKEN": "d", "APP_API_TOKEN": "a", "DAPR_STATE_STORE": "s", "SECRET_STORE": "x", "SECRETS_FILE": "/f", "LOG_LEVEL": "debug",
		"OTEL_EXPORTER_OTLP_ENDPOINT": "http://o", "SHUTDOWN_TIMEOUT": "1m", "POD_NAME": "ws-1", "ALLOWED_ORIGINS": "https://a.example,http://b.example:3000",
		"TRUSTED_PROXIES": "10.0.0.0/8", "AUTH_ISSUER": "https://id.example.com/x", "AUTH_AUDIENCE": "taskwire", "AUTH_ROLE_CLAIM": "groups",
	} {
		t.Setenv(name, value)
	}
	got, err := Load[Base]()
	want := Base{"127.0.0.1:1", "127.0.0.1:2", 3, 4, "p", "d", "a", "s", "x", "/f", "debug", "http://o", time.Minute, "ws-1",
		[]string{"https://a.example", "http://b.example:3000"}, []string{"10.0.0.0/8"}, "https://id.example.com/x", "taskwire", "groups"}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestTheErrorNamesEveryBadVariableAndShowsNoValue(t *testing.T) {
	for _, tc := range []struct {
		name string
		env  map[string]string
		want []string
	}{
		{"missing", nil, []string{"APP_API_TOKEN is not set"}},
		{"empty", map[string]string{"APP_API_TOKEN": ""}, []string{"APP_API_TOKEN is empty"}},
		{"several that cannot be read", map[string]string{"DAPR_HTTP_PORT": "s3cret", "SHUTDOWN_TIMEOUT": "s3cret", "OPEN_REGISTRATION": "s3cret", "ARGON2_MB": "s3cret"}, []string{
			"APP_API_TOKEN is not set", "DAPR_HTTP_PORT is not a valid whole number", `SHUTDOWN_TIMEOUT is not a valid duration like "15s"`,
			"OPEN_REGISTRATION is not a valid true or false", "ARGON2_MB is not a valid whole number",
		}},
		{"several that make no sense", map[string]string{
			"APP_API_TOKEN": "t", "HTTP_ADDR": "s3cret", "APP_ADDR": "8081", "DAPR_GRPC_PORT": "70000", "LOG_LEVEL": "s3cret", "SHUTDOWN_TIMEOUT": "-1s", "ARGON2_MB": "4096",
		}, []string{"HTTP_ADDR", "APP_ADDR", "DAPR_GRPC_PORT", "LOG_LEVEL", "SHUTDOWN_TIMEOUT", "ARGON2_MB is above 1024"}},
		{"an issuer whose tokens could be read on the way", map[string]string{"APP_API_TOKEN": "t", "AUTH_ISSUER": "http://s3cret.example.com"}, []string{"AUTH_ISSUER", "AUTH_AUDIENCE"}},
		{"an origin without a scheme", map[string]string{"APP_API_TOKEN": "t", "ALLOWED_ORIGINS": "https://a.example,s3cret.example"}, []string{"ALLOWED_ORIGINS has an entry"}},
		{"a proxy that is no address", map[string]string{"APP_API_TOKEN": "t", "TRUSTED_PROXIES": "10.0.0.0/8,s3cret"}, []string{"TRUSTED_PROXIES has an entry"}},
		{"an audience of nobody", map[string]string{"APP_API_TOKEN": "t", "AUTH_AUDIENCE": "s3cret"}, []string{"AUTH_ISSUER is not set"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			clean(t)
			for name, value := range tc.env {
				t.Setenv(name, value)
			}
			_, err := Load[service]()
			if err == nil {
				t.Fatal("got nil")
			}
			for _, want := range tc.want {
				if strings.Count(err.Error(), want) != 1 {
					t.Errorf("got %q, want it to say %q once", err, want)
				}
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("got %q, which shows a value", err)
			}
		})
	}
}
