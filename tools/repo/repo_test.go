package repo

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the repository.
const root = "../.."

// goFiles calls visit with the path of each Go file of the repository, relative to root.
func goFiles(t *testing.T, visit func(path string)) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules") {
			return filepath.SkipDir // built or recorded, not written here
		}
		if d.Type().IsRegular() && strings.HasSuffix(name, ".go") {
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			n++
			visit(rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n < 100 {
		t.Fatalf("found only %d Go files: the test looks at the wrong folder", n)
	}
}

// parse reads the part of a file that mode asks for.
func parse(t *testing.T, path string, mode parser.Mode) *ast.File {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, path), nil, mode)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestEveryPackageHasADoc(t *testing.T) {
	t.Parallel()
	docs := map[string]string{}  // by folder
	names := map[string]string{} // by folder
	goFiles(t, func(path string) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		file := parse(t, path, parser.PackageClauseOnly|parser.ParseComments)
		dir := filepath.Dir(path)
		names[dir] = file.Name.Name
		if file.Doc != nil && docs[dir] == "" {
			docs[dir] = strings.TrimSpace(file.Doc.Text())
		}
	})
	for dir, name := range names {
		want := regexp.MustCompile(`^Package ` + name + ` `)
		if name == "main" {
			want = regexp.MustCompile(`^(The command|Command) [a-z]`)
		}
		if !want.MatchString(docs[dir]) {
			t.Errorf("%s: the package doc begins with %.60q, want a match of %s", dir, docs[dir], want)
		}
	}
}
