// Package config reads a service's settings from the environment, once, at the start.
//
// Promises:
//   - A setting is a field with an `env` tag, and nothing else is read.
//   - Load returns one error that names every variable that is wrong, so that an operator can correct all at once.
//   - A value is never part of an error, because some values are secrets.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/taskwire/taskwire/pkg/platform/address"
	"github.com/taskwire/taskwire/pkg/platform/origin"
)

// Base holds the settings that every service has. A service embeds it in its own settings struct.
type Base struct {
	HTTPAddr        string        `env:"HTTP_ADDR" envDefault:":8080"`         // the public side
	AppAddr         string        `env:"APP_ADDR" envDefault:"127.0.0.1:8081"` // the Dapr side: subscriptions, bindings, invocation
	DaprHTTPPort    int           `env:"DAPR_HTTP_PORT" envDefault:"3500"`     // the sidecar's HTTP API
	DaprGRPCPort    int           `env:"DAPR_GRPC_PORT" envDefault:"50001"`    // the sidecar's gRPC API
	DaprPubSub      string        `env:"DAPR_PUBSUB_NAME,notEmpty" envDefault:"kafka-pubsub"`
	DaprAPIToken    string        `env:"DAPR_API_TOKEN"`                  // the sidecar requires it of the service
	AppAPIToken     string        `env:"APP_API_TOKEN,required,notEmpty"` // the service requires it of the sidecar
	DaprStateStore  string        `env:"DAPR_STATE_STORE,notEmpty" envDefault:"statestore"`
	SecretStore     string        `env:"SECRET_STORE,notEmpty" envDefault:"kubernetes-secrets"`
	SecretsFile     string        `env:"SECRETS_FILE"` // the mounted copy, used without a sidecar
	LogLevel        string        `env:"LOG_LEVEL" envDefault:"info"`
	OTLPEndpoint    string        `env:"OTEL_EXPORTER_OTLP_ENDPOINT"`
	ShutdownTimeout time.Duration `env:"SHUTDOWN_TIMEOUT" envDefault:"15s"`
	PodName         string        `env:"POD_NAME"`
	// AllowedOrigins are the origins of the pages that may use the service besides those of its own host: * or a list.
	AllowedOrigins []string `env:"ALLOWED_ORIGINS" envSeparator:","`
	// TrustedProxies are the addresses and networks whose X-Forwarded-For and X-Forwarded-Proto are trusted: limits count by
	// the client's address. The default is the gateway on the same machine.
	TrustedProxies []string `env:"TRUSTED_PROXIES" envDefault:"127.0.0.1/32,::1/128"`

	// An OIDC issuer whose access tokens are accepted instead of our own, the audience that they must name, and the claim
	// (a string or a list of strings) that holds the role. Users with "auditor" in it are auditors.
	AuthIssuer    string `env:"AUTH_ISSUER"`
	AuthAudience  string `env:"AUTH_AUDIENCE"`
	AuthRoleClaim string `env:"AUTH_ROLE_CLAIM"`
}

// Validate returns the errors of well-formed values. Load calls it.
func (b Base) Validate() error {
	var errs []error
	bad := func(name, why string) { errs = append(errs, fmt.Errorf("%s %s", name, why)) }
	for name, addr := range map[string]string{"HTTP_ADDR": b.HTTPAddr, "APP_ADDR": b.AppAddr} {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			bad(name, `is not an address like ":8080" or "127.0.0.1:8080"`)
		}
	}
	for name, port := range map[string]int{"DAPR_HTTP_PORT": b.DaprHTTPPort, "DAPR_GRPC_PORT": b.DaprGRPCPort} {
		if port < 1 || port > 65535 {
			bad(name, "is not a port between 1 and 65535")
		}
	}
	var level slog.Level
	if level.UnmarshalText([]byte(b.LogLevel)) != nil {
		bad("LOG_LEVEL", "is not one of debug, info, warn, error")
	}
	if _, err := origin.Parse(b.AllowedOrigins); err != nil { // it holds the value
		bad("ALLOWED_ORIGINS", "has an entry that is neither * nor an origin such as https://app.example.com")
	}
	if _, err := address.ParseProxies(b.TrustedProxies); err != nil { // it holds the value
		bad("TRUSTED_PROXIES", "has an entry that is neither an address nor a network such as 10.0.0.0/8")
	}
	if b.ShutdownTimeout <= 0 {
		bad("SHUTDOWN_TIMEOUT", "is not longer than zero")
	}
	if b.AuthIssuer != "" {
		if !issuer(b.AuthIssuer) {
			bad("AUTH_ISSUER", "is not an https address without query and fragment (http is for this machine only)")
		}
		if b.AuthAudience == "" {
			bad("AUTH_AUDIENCE", "is not set: tokens for other services would be accepted")
		}
	} else if b.AuthAudience != "" || b.AuthRoleClaim != "" {
		bad("AUTH_ISSUER", "is not set, but AUTH_AUDIENCE or AUTH_ROLE_CLAIM is")
	}
	return errors.Join(errs...)
}

// issuer reports whether s can be the URL of an issuer (OpenID Connect Discovery 1.0, section 3).
func issuer(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip.IsLoopback())
}

// Load reads T from the environment and calls the Validate methods of T and of the structs embedded in it. The error
// names every variable that is wrong.
func Load[T any]() (T, error) {
	t, err := env.ParseAs[T]()
	problems := parseProblems(err, reflect.TypeFor[T]())
	if err == nil {
		problems = validate(reflect.ValueOf(&t).Elem())
	}
	if len(problems) > 0 {
		slices.Sort(problems)
		var zero T
		return zero, fmt.Errorf("configuration: %s", strings.Join(slices.Compact(problems), "; "))
	}
	return t, nil
}

// parseProblems names the variables in err, without their values.
func parseProblems(err error, t reflect.Type) []string {
	if err == nil {
		return nil
	}
	var all env.AggregateError
	if !errors.As(err, &all) {
		return []string{err.Error()}
	}
	var out []string
	for _, e := range all.Errors {
		var (
			parse   env.ParseError
			missing env.VarIsNotSetError
			empty   env.EmptyVarError
		)
		switch {
		case errors.As(e, &parse):
			out = append(out, fmt.Sprintf("%s is not a valid %s", variable(t, parse.Name), kind(parse.Type)))
		case errors.As(e, &missing):
			out = append(out, missing.Key+" is not set")
		case errors.As(e, &empty):
			out = append(out, empty.Key+" is empty")
		default:
			out = append(out, e.Error())
		}
	}
	return out
}

// variable returns the environment variable of a field of t or of a struct embedded in it.
func variable(t reflect.Type, field string) string {
	for _, f := range reflect.VisibleFields(t) {
		if f.Name == field {
			if name, _, _ := strings.Cut(f.Tag.Get("env"), ","); name != "" {
				return name
			}
		}
	}
	return field
}

func kind(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return `duration like "15s"`
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64:
		return "whole number"
	case t.Kind() == reflect.Float32, t.Kind() == reflect.Float64:
		return "number"
	default:
		return t.String()
	}
}

// validate calls Validate on v and on each struct embedded in it. A method that v inherits runs twice; Load removes the
// duplicate errors.
func validate(v reflect.Value) []string {
	if v.Kind() != reflect.Struct {
		return nil
	}
	var out []string
	for i := range v.NumField() {
		if v.Type().Field(i).Anonymous {
			out = append(out, validate(v.Field(i))...)
		}
	}
	if validator, ok := v.Addr().Interface().(interface{ Validate() error }); ok {
		if err := validator.Validate(); err != nil {
			out = append(out, strings.Split(err.Error(), "\n")...) // errors.Join writes each on a line
		}
	}
	return out
}
