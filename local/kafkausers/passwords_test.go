package kafkausers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestADamagedFileOfPasswordsIsNotQuoted(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"no JSON":             `{"taskwire-audit":"hunter2"`,
		"another form":        `["hunter2"]`,
		"nobody":              `{}`,
		"a user without one":  `{"taskwire-audit":"hunter2","taskwire-task-api":""}`,
		"a number as a value": `{"taskwire-audit":42,"x":"hunter2"}`,
	} {
		path := filepath.Join(t.TempDir(), "users.json")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadPasswords(path); err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: ReadPasswords = %v, want an error that names the file and no password", name, err)
		}
	}
}
