package eventdoc

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// source holds the comments of the events package.
type source struct {
	packageDoc string
	typeDocs   map[string]string // by type
	fieldDocs  map[string]string // by Type.Field
	valueDocs  map[string]string // by Type.value of a string constant
}

func readSource(dir string) (*source, error) {
	s := &source{typeDocs: map[string]string{}, fieldDocs: map[string]string{}, valueDocs: map[string]string{}}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		// Some editors write \r\n. The result must not depend on it.
		text = []byte(strings.ReplaceAll(string(text), "\r\n", "\n"))
		parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		if parsed.Doc != nil {
			s.packageDoc = parsed.Doc.Text()
		}
		for _, decl := range parsed.Decls {
			if d, ok := decl.(*ast.GenDecl); ok {
				s.addDecl(d)
			}
		}
	}
	if s.packageDoc == "" {
		return nil, fmt.Errorf("no package comment in %s", dir)
	}
	return s, nil
}

func (s *source) addDecl(d *ast.GenDecl) {
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			s.typeDocs[spec.Name.Name] = oneLine(d.Doc)
			if st, ok := spec.Type.(*ast.StructType); ok {
				for _, f := range st.Fields.List {
					for _, name := range f.Names {
						s.fieldDocs[spec.Name.Name+"."+name.Name] = oneLine(f.Doc)
					}
				}
			}
		case *ast.ValueSpec:
			s.addValue(spec)
		}
	}
}

// addValue stores the line comment of a typed string constant.
func (s *source) addValue(spec *ast.ValueSpec) {
	typ, ok := spec.Type.(*ast.Ident)
	if !ok || len(spec.Values) != 1 {
		return
	}
	lit, ok := spec.Values[0].(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return
	}
	if value, err := strconv.Unquote(lit.Value); err == nil {
		s.valueDocs[typ.Name+"."+value] = oneLine(spec.Comment)
	}
}

func oneLine(c *ast.CommentGroup) string { return strings.Join(strings.Fields(c.Text()), " ") }

// meaning converts a Go comment, which begins with the Go name of the field, into a sentence without that name. Readers of
// the page know the field by its wire name.
func meaning(doc string) string {
	_, rest, _ := strings.Cut(doc, " ")
	for _, verb := range []string{"is ", "are "} {
		if after, ok := strings.CutPrefix(rest, verb); ok {
			rest = after
			break
		}
	}
	return strings.ToUpper(rest[:1]) + rest[1:]
}
