package main

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/dapr/dapr/cmd/daprd/options"
	"github.com/dapr/dapr/pkg/healthz"
	"github.com/dapr/dapr/pkg/metrics"
	"github.com/dapr/dapr/pkg/runtime"
)

// elsewhere are the options that only run reads.
var elsewhere = map[string]bool{"RuntimeVersion": true, "BuildInfo": true, "WaitCommand": true, "Logger": true}

// renamed are the options that have another name in the configuration of the runtime or of its security.
var renamed = map[string]string{
	"AppPort": "ApplicationPort", "SchedulerJobStreams": "SchedulerStreams",
	"SentryRequestJwtAudiences": "JwtAudiences",
}

// handedOn returns what the runtime gets, by field: its configuration, its security options and its metrics options.
func handedOn(o *options.Options, health healthz.Healthz) map[string]any {
	got := map[string]any{}
	add := func(prefix string, v any) {
		for i, s := 0, reflect.ValueOf(v); i < s.NumField(); i++ {
			got[prefix+s.Type().Field(i).Name] = s.Field(i).Interface()
		}
	}
	c := config(o, nil, nil, health, nil)
	m := c.Metrics
	m.Meter, c.Metrics = nil, metrics.Options{} // differ in every call
	add("", *c)
	add("", securityOptions(o, health))
	add("metrics ", m)
	// A field that both have is compared in the runtime's configuration, except this one.
	got["MTLSEnabled"] = securityOptions(o, health).MTLSEnabled
	return got
}

func TestEveryFlagReachesTheRuntime(t *testing.T) {
	t.Parallel()
	defaults, err := options.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	health := healthz.New()
	before := handedOn(defaults, health)
	fields := reflect.TypeFor[options.Options]()
	for i := range fields.NumField() {
		name := fields.Field(i).Name
		if elsewhere[name] || name == "Metrics" {
			continue
		}
		changed := *defaults
		field := reflect.ValueOf(&changed).Elem().Field(i)
		value := other(t, name, field)
		field.Set(value)
		to := name
		if renamed[name] != "" {
			to = renamed[name]
		}
		after := handedOn(&changed, health)
		if got, ok := after[to]; !ok || fmt.Sprint(reflect.Indirect(reflect.ValueOf(got))) != fmt.Sprint(reflect.Indirect(value)) {
			t.Errorf("option %s = %v comes to the runtime as %s = %v", name, reflect.Indirect(value), to, got)
		}
		for other, v := range after {
			if other != to && other != "MTLSEnabled" && !reflect.DeepEqual(v, before[other]) {
				t.Errorf("option %s changes %s as well", name, other)
			}
		}
	}
	if !handedOn(&options.Options{EnableMTLS: true, Metrics: metrics.DefaultFlagOptions()}, health)["MTLSEnabled"].(bool) {
		t.Error("option EnableMTLS does not reach the security")
	}
}

// other returns a value that differs from the field's.
func other(t *testing.T, name string, field reflect.Value) reflect.Value {
	t.Helper()
	v := reflect.New(field.Type()).Elem()
	switch field.Kind() {
	case reflect.String:
		v.SetString("another " + name)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(field.Int() + 7)
	case reflect.Uint:
		v.SetUint(field.Uint() + 7)
	case reflect.Bool:
		v.SetBool(!field.Bool())
	case reflect.Slice:
		if field.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(name))
			break
		}
		v.Set(reflect.ValueOf([]string{name}))
	case reflect.Pointer:
		v.Set(reflect.New(field.Type().Elem()))
		switch e := v.Elem(); e.Kind() {
		case reflect.Bool:
			e.SetBool(true)
		case reflect.Int64:
			e.SetInt(int64(7 * time.Second))
		default:
			t.Fatalf("option %s has a type this test does not know: %s", name, field.Type())
		}
	default:
		t.Fatalf("option %s has a type this test does not know: %s", name, field.Type())
	}
	return v
}

func TestMetricsFlagsReachTheRuntime(t *testing.T) {
	t.Parallel()
	o, err := options.New([]string{"--metrics-port=1234", "--metrics-listen-address=192.0.2.1", "--enable-metrics=false"})
	if err != nil {
		t.Fatal(err)
	}
	got := config(o, nil, nil, healthz.New(), nil).Metrics
	if got.Port != "1234" || got.ListenAddress != "192.0.2.1" || got.Enabled {
		t.Errorf("metrics = port %s, address %s, enabled %t, want 1234, 192.0.2.1, false", got.Port, got.ListenAddress, got.Enabled)
	}
	if got.Namespace == "" || got.Meter == nil || got.Healthz == nil {
		t.Errorf("metrics = %+v, want a namespace, a meter and a health", got)
	}
}

// daprd sets every field of the runtime's configuration, except those without a flag.
func TestNoFieldOfTheRuntimeIsLeftOut(t *testing.T) {
	t.Parallel()
	noFlag := map[string]bool{"Registry": true, "Security": true, "Healthz": true, "Metrics": true, "WorkflowEventSink": true}
	flags := map[string]bool{}
	fields := reflect.TypeFor[options.Options]()
	for i := range fields.NumField() {
		name := fields.Field(i).Name
		if renamed[name] != "" {
			name = renamed[name]
		}
		flags[name] = true
	}
	have := reflect.TypeFor[runtime.Config]()
	for i := range have.NumField() {
		if name := have.Field(i).Name; !flags[name] && !noFlag[name] {
			t.Errorf("runtime.Config.%s is new: hand it on in main.go", name)
		}
	}
}

func TestTheFileOfTrustAnchorsReplacesTheVariable(t *testing.T) {
	t.Setenv("DAPR_TRUST_ANCHORS", "a certificate")
	t.Setenv("DAPR_TRUST_ANCHORS_FILE", "")
	o, err := options.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := securityOptions(o, healthz.New()); string(got.TrustAnchors) != "a certificate" || got.TrustAnchorsFile != nil {
		t.Errorf("without a file: got %q and file %v, want the variable", got.TrustAnchors, got.TrustAnchorsFile)
	}
	t.Setenv("DAPR_TRUST_ANCHORS_FILE", "/run/ca.crt")
	if got := securityOptions(o, healthz.New()); got.TrustAnchors != nil || got.TrustAnchorsFile == nil || *got.TrustAnchorsFile != "/run/ca.crt" {
		t.Errorf("with a file: got %q and file %v, want only the file", got.TrustAnchors, got.TrustAnchorsFile)
	}
}
