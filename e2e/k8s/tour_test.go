//go:build k8s

package k8s

import (
	"os/exec"
	"testing"
)

// TestTheToursWorkThroughTheIngress runs the tours of README.md and docs/api.md word for word.
func TestTheToursWorkThroughTheIngress(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "../../scripts/tour.sh", origin(t))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("tour: %v\n%s", err, out)
	}
}
