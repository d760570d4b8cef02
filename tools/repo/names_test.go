package repo

import (
	"go/ast"
	"go/parser"
	"regexp"
	"strings"
	"testing"
)

// maxTestName bounds the length of a test's name, so that it is read as a sentence. Variants are subtests.
const maxTestName = 60

func TestNoTestNameIsTooLong(t *testing.T) {
	t.Parallel()
	kind := regexp.MustCompile(`^(Test|Fuzz|Benchmark)[A-Z_]`)
	tests := 0
	goFiles(t, func(path string) {
		if !strings.HasSuffix(path, "_test.go") {
			return
		}
		for _, d := range parse(t, path, parser.SkipObjectResolution).Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !kind.MatchString(f.Name.Name) {
				continue
			}
			tests++
			if n := len(f.Name.Name); n > maxTestName {
				t.Errorf("%s: %s has %d characters, want at most %d", path, f.Name.Name, n, maxTestName)
			}
		}
	})
	if tests == 0 {
		t.Error("no test was found")
	}
}
