package components_test

import (
	"flag"
	"os"
	"testing"
)

// atOnce is how many tests run at a time unless -parallel says otherwise. They wait for timers far more than they compute,
// and a sidecar takes about 70 MB.
const atOnce = "8"

func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", atOnce) // the flag exists in every test binary
	}
	os.Exit(m.Run())
}
