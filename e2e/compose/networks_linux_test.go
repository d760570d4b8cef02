package compose

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// listening returns the TCP ports on which anything listens in a service's network, other than on loopback.
func (s *stack) listening(t *testing.T, name string) (ports []string) {
	t.Helper()
	var out strings.Builder
	cmd := exec.Command("cat", "/proc/net/tcp", "/proc/net/tcp6")
	cmd.Stdout = &out
	if err := s.spaces[name].do(cmd.Start); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	const localAddress, state, listen = 1, 3, "0A"
	for _, line := range strings.Split(out.String(), "\n") {
		f := strings.Fields(line)
		if len(f) <= state || f[state] != listen || strings.HasPrefix(f[localAddress], "0100007F:") {
			continue
		}
		_, hex, _ := strings.Cut(f[localAddress], ":")
		port, err := strconv.ParseUint(hex, 16, 16)
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, strconv.Itoa(int(port)))
	}
	return ports
}

// checkNetworks dials, from the gateway, each address of each container at each port on which anything listens anywhere.
func (s *stack) checkNetworks(t *testing.T) {
	var ports []string
	for name := range s.in {
		ports = append(ports, s.listening(t, name)...)
	}
	slices.Sort(ports)
	ports = slices.Compact(ports)
	for _, want := range []string{"5432", "9092", "8080", "9090", "50002", "50003"} {
		if !slices.Contains(ports, want) {
			t.Errorf("nothing listens on %s: got the ports %v", want, ports)
		}
	}
	for name, addresses := range s.in {
		if name == "gateway" {
			continue
		}
		for network, at := range addresses {
			for _, port := range ports {
				conn, err := s.spaces["gateway"].dial(context.Background(), "tcp", net.JoinHostPort(at, port))
				if err == nil {
					conn.Close()
				}
				public := network == "front" && (strings.HasSuffix(name, "-pod") && port == "8080" || name == "kafka-metrics" && port == "9308")
				if (err == nil) != public {
					t.Errorf("the gateway dials port %s of %s in the network %s: got %v, want reached %t", port, name, network, err, public)
				}
			}
		}
	}
}

// checkSidecars connects to the port of each sidecar without a certificate, from a place that reaches it.
func (s *stack) checkSidecars(t *testing.T) {
	for _, app := range apps {
		conn, err := s.spaces[hub].dial(context.Background(), "tcp", s.in[app+"-pod"]["sidecars"]+":50002")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		// The name of the server is in a SPIFFE certificate, which is compared below.
		client := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"}})
		if err = client.Handshake(); err == nil {
			_, err = client.Read(make([]byte, 1)) // in TLS 1.3 the server answers a missing certificate after the handshake
		}
		var alert tls.AlertError
		if !errors.As(err, &alert) && (err == nil || !strings.Contains(err.Error(), "certificate required")) {
			t.Errorf("%s-daprd: got %v, want the alert that a certificate is required", app, err)
		}
		server := client.ConnectionState().PeerCertificates
		if len(server) == 0 || len(server[0].URIs) != 1 || server[0].URIs[0].String() != "spiffe://public/ns/taskwire/"+app {
			t.Errorf("%s-daprd does not show the certificate of its app", app)
		}
	}
}

// restart kills a container and starts it again.
func (s *stack) restart(t *testing.T, name string) {
	t.Helper()
	if p := s.running[name]; !p.ended() {
		_ = p.cmd.Process.Kill()
		<-p.done
	}
	svc := s.project.Services[name]
	p, err := s.run(svc)
	if err != nil {
		t.Fatal(err)
	}
	s.running[name] = p
	s.until(t, func() error { return s.healthy(svc) })
}

// checkSidecarAgain restarts a sidecar after setup has made new tokens. The audit service then gets the token keys, which it
// does by an invocation, and becomes ready.
func (s *stack) checkSidecarAgain(t *testing.T) {
	s.restart(t, "audit-daprd")
	s.restart(t, "audit")
	file := filepath.Join(s.dir, "volumes", "audit-daprd", "sidecar.jwt")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s: %v, %v, want mode 0600", file, info, err)
	}
}

// checkWithoutSentry kills sentry. The sidecars keep their certificates, so a service that starts still gets the token keys.
func (s *stack) checkWithoutSentry(t *testing.T) {
	_ = s.running["sentry"].cmd.Process.Kill()
	<-s.running["sentry"].done
	s.restart(t, "audit")
	before := s.trust(t)
	s.restart(t, "sentry")
	if s.trust(t) != before {
		t.Error("sentry made another authority when it started again")
	}
	s.restart(t, "audit-daprd")
}

func (s *stack) trust(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(s.dir, "volumes", "trust", "ca.crt"))
	if err != nil {
		t.Fatal(fmt.Errorf("the root certificates: %w", err))
	}
	return string(raw)
}
