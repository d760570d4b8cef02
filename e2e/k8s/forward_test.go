//go:build k8s

package k8s

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

var forwarding = regexp.MustCompile(`Forwarding from (127\.0\.0\.1:\d+) ->`)

// forward forwards a port of this machine to a port of a pod and returns the local address. It reaches ports on the pod's
// loopback too.
func forward(t testing.TB, pod string, port int) string {
	t.Helper()
	name := os.Getenv("KUBECTL")
	if name == "" {
		name = "kubectl"
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, name, "-n", namespace, "port-forward", "pod/"+pod, fmt.Sprintf(":%d", port), "--address=127.0.0.1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // returns an error because it was killed
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := forwarding.FindStringSubmatch(lines.Text()); m != nil {
			go func() { _, _ = io.Copy(io.Discard, out) }() // kubectl prints a line for each connection
			return m[1]
		}
	}
	t.Fatalf("port-forward to %s:%d ended", pod, port)
	return ""
}

// daprPort is the port of the sidecar's API on the pod's loopback.
const daprPort = 3500

// sidecar returns a function that calls the sidecar of one of an app's pods with the app's token.
func sidecar(t testing.TB, app string) func(method, path, body string) (int, string) {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(kubectl(t, "get", "secret", app+"-dapr-token", "-o", "jsonpath={.data.token}"))
	if err != nil {
		t.Fatal(err)
	}
	addr := forward(t, serving(t, app)[0], daprPort)
	client := &http.Client{Timeout: 30 * time.Second}
	return func(method, path, body string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+addr+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("dapr-api-token", string(raw))
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(bytes.TrimSpace(answer))
	}
}
