package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/mcp-credential/mcp-credential"

// root is the module's folder.
const root = "../.."

// file is one Go file of the module, for whatever system and build tag it is meant.
type file struct {
	path string // from the root, with slashes
	dir  string // likewise; "." for the root
	test bool
	*ast.File
}

var files = token.NewFileSet()

// parsed reads every Go file of the module, once.
var parsed = sync.OnceValues(func() ([]file, error) {
	var out []file
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() != ".." && (d.Name() == "node_modules" || d.Name() == "testdata" || d.Name() == "dist" || strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		f, err := parser.ParseFile(files, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		rel = filepath.ToSlash(rel)
		out = append(out, file{rel, filepath.ToSlash(filepath.Dir(filepath.FromSlash(rel))), strings.HasSuffix(rel, "_test.go"), f})
		return err
	})
	return out, err
})

// sources returns the files, test files among them only where tests is set, and fails when there are too few to be true.
func sources(t *testing.T, tests bool) []file {
	t.Helper()
	all, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	var out []file
	for _, f := range all {
		if tests || !f.test {
			out = append(out, f)
		}
	}
	if len(out) < 80 {
		t.Fatalf("only %d files were found", len(out))
	}
	return out
}

// imports returns the paths that f imports; those of this module without the module's name.
func (f file) imports() []string {
	var out []string
	for _, spec := range f.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		out = append(out, strings.TrimPrefix(path, module+"/"))
	}
	return out
}

// at says where a node is.
func at(n ast.Node) string {
	p := files.Position(n.Pos())
	rel, _ := filepath.Rel(root, p.Filename)
	return filepath.ToSlash(rel) + ":" + strconv.Itoa(p.Line)
}

// called returns the name of what a call calls: "os.Exit", ".Reveal" for a method or field of anything but a plain
// name, "panic".
func called(n ast.Node) string {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return ""
	}
	switch fun := call.Fun.(type) {
	case *ast.Ident:
		return fun.Name
	case *ast.SelectorExpr:
		if x, ok := fun.X.(*ast.Ident); ok {
			return x.Name + "." + fun.Sel.Name
		}
		return "." + fun.Sel.Name
	}
	return ""
}

// method returns the last part of called.
func method(n ast.Node) string {
	name := called(n)
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return name[i+1:]
	}
	return ""
}

// functions returns the function declarations of a file.
func (f file) functions() []*ast.FuncDecl {
	var out []*ast.FuncDecl
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok {
			out = append(out, fn)
		}
	}
	return out
}
