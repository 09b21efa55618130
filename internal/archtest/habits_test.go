package archtest

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
)

const (
	mostLines     = 350 // of a file
	mostFuncLines = 60  // of a function
)

func TestFilesAndFunctionsAreShort(t *testing.T) {
	for _, f := range sources(t, true) {
		if n := files.File(f.Pos()).LineCount(); n > mostLines {
			t.Errorf("%s has %d lines, more than %d", f.path, n, mostLines)
		}
		for _, fn := range f.functions() {
			if n := files.Position(fn.End()).Line - files.Position(fn.Pos()).Line + 1; n > mostFuncLines {
				t.Errorf("%s: %s has %d lines, more than %d", at(fn), fn.Name.Name, n, mostFuncLines)
			}
		}
	}
}

// The exit code of a process is decided in its main function, or by a role that a test binary plays.
func TestExitIsCalledInMain(t *testing.T) {
	n := 0
	for _, f := range sources(t, false) {
		for _, fn := range f.functions() {
			main := f.Name.Name == "main" && fn.Name.Name == "main"
			ast.Inspect(fn, func(node ast.Node) bool {
				switch called(node) {
				case "os.Exit", "syscall.Exit", "log.Fatal", "log.Fatalf", "log.Fatalln":
					if n++; !main {
						t.Errorf("%s: %s ends the process", at(node), fn.Name.Name)
					}
				}
				return true
			})
		}
	}
	if n == 0 {
		t.Error("no os.Exit was found")
	}
}

func TestNothingRegistersItself(t *testing.T) {
	for _, f := range sources(t, true) {
		for _, fn := range f.functions() {
			if fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: an init function", at(fn))
			}
		}
	}
}

// Words for people leave through cmd/call, everything else through a writer that somebody gave.
func TestLibrariesPrintNothing(t *testing.T) {
	for _, f := range sources(t, false) {
		if f.Name.Name == "main" {
			continue
		}
		ast.Inspect(f.File, func(n ast.Node) bool {
			switch called(n) {
			case "fmt.Print", "fmt.Printf", "fmt.Println", "print", "println":
				t.Errorf("%s prints", at(n))
			}
			if sel, ok := n.(*ast.SelectorExpr); ok && (sel.Sel.Name == "Stdout" || sel.Sel.Name == "Stderr") {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "os" {
					t.Errorf("%s uses the process's own %s", at(n), sel.Sel.Name)
				}
			}
			return true
		})
	}
}

// A sleep in a test is the pause of a loop that looks for something; a loop without a condition waits for a guess.
func TestTestsDoNotSleep(t *testing.T) {
	for _, f := range sources(t, true) {
		if !f.test {
			continue
		}
		var loops []*ast.ForStmt
		ast.Inspect(f.File, func(n ast.Node) bool {
			if loop, ok := n.(*ast.ForStmt); ok && loop.Cond != nil {
				loops = append(loops, loop)
			}
			polls := slices.ContainsFunc(loops, func(l *ast.ForStmt) bool { return n != nil && l.Pos() <= n.Pos() && n.End() <= l.End() })
			if called(n) == "time.Sleep" && !polls {
				t.Errorf("%s sleeps", at(n))
			}
			return true
		})
	}
}

// A test that is skipped says what is missing, and where CI is set it fails instead.
func TestASkipIsAFailureInCI(t *testing.T) {
	skips := 0
	for _, f := range sources(t, true) {
		for _, fn := range f.functions() {
			var skip ast.Node
			fatal, ci := false, false
			ast.Inspect(fn, func(n ast.Node) bool {
				switch method(n) {
				case "Skip", "Skipf", "SkipNow":
					skip = n
				case "Fatal", "Fatalf":
					fatal = true
				}
				lit, ok := n.(*ast.BasicLit)
				ci = ci || ok && lit.Value == `"CI"`
				return true
			})
			if skip == nil {
				continue
			}
			if skips++; !fatal || !ci {
				t.Errorf("%s skips in CI too", at(skip))
			}
		}
	}
	if skips == 0 {
		t.Error("no skip was found: has this test become blind?")
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	said := map[string]bool{}
	for _, f := range sources(t, true) {
		said[f.dir] = said[f.dir] || f.Doc != nil && len(f.Doc.Text()) > 60
	}
	for dir, ok := range said {
		if !ok {
			t.Errorf("the package %s has no comment that says what it is for", dir)
		}
	}
}

func TestExportedNamesAreDocumented(t *testing.T) {
	for _, f := range sources(t, false) {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
					t.Errorf("%s: %s has no comment", at(d), d.Name.Name)
				}
			case *ast.GenDecl:
				undocumented(t, d)
			}
		}
	}
}

func exportedReceiver(fn *ast.FuncDecl) bool { return fn.Recv == nil || ast.IsExported(receiver(fn)) }

// receiver is the name of the type that a method belongs to; "" for a function, and for a method of a generic type.
func receiver(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return ""
	}
	typ := fn.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	name, _ := typ.(*ast.Ident)
	if name == nil {
		return ""
	}
	return name.Name
}

// undocumented reports the exported types, constants and variables of a declaration that nothing explains.
func undocumented(t *testing.T, d *ast.GenDecl) {
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Name.IsExported() && d.Doc == nil && spec.Doc == nil {
				t.Errorf("%s: %s has no comment", at(spec), spec.Name.Name)
			}
		case *ast.ValueSpec:
			if spec.Names[0].IsExported() && d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
				t.Errorf("%s: %s has no comment", at(spec), spec.Names[0].Name)
			}
		}
	}
}

// A package-level variable is a constant that Go has no word for: an error value, a table, a compiled pattern. It has a
// value, and nobody changes it, takes its address or writes into it.
func TestNoGlobalChanges(t *testing.T) {
	globals := map[string]map[string]bool{}
	for _, f := range sources(t, false) {
		for _, d := range f.Decls {
			gen, ok := d.(*ast.GenDecl)
			if !ok || gen.Tok != token.VAR {
				continue
			}
			for _, spec := range gen.Specs {
				spec := spec.(*ast.ValueSpec)
				for _, name := range spec.Names {
					if name.Name == "_" {
						continue
					}
					embedded := gen.Doc != nil && strings.Contains(gen.Doc.List[len(gen.Doc.List)-1].Text, "//go:embed ")
					if len(spec.Values) == 0 && !embedded {
						t.Errorf("%s: %s has no value: who changes it?", at(spec), name.Name)
					}
					if globals[f.dir] == nil {
						globals[f.dir] = map[string]bool{}
					}
					globals[f.dir][name.Name] = true
				}
			}
		}
	}
	if len(globals) < 5 {
		t.Fatal("too few variables were found")
	}
	for _, f := range sources(t, true) {
		for _, fn := range f.functions() {
			changes(t, fn, globals[f.dir])
		}
	}
}

// changes reports where a function changes one of the globals that it does not hide by a name of its own.
func changes(t *testing.T, fn *ast.FuncDecl, globals map[string]bool) {
	own := locals(fn)
	global := func(e ast.Expr) bool {
		for {
			switch x := e.(type) {
			case *ast.IndexExpr:
				e = x.X
			case *ast.SelectorExpr:
				e = x.X
			case *ast.StarExpr:
				e = x.X
			case *ast.ParenExpr:
				e = x.X
			case *ast.Ident:
				return globals[x.Name] && !own[x.Name]
			default:
				return false
			}
		}
	}
	ast.Inspect(fn, func(n ast.Node) bool {
		var changed []ast.Expr
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				changed = n.Lhs
			}
		case *ast.IncDecStmt:
			changed = []ast.Expr{n.X}
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				changed = []ast.Expr{n.X}
			}
		case *ast.CallExpr:
			if name := called(n); name == "delete" || name == "clear" {
				changed = n.Args[:1]
			}
		}
		if slices.ContainsFunc(changed, global) {
			t.Errorf("%s: %s changes a package-level variable", at(n), fn.Name.Name)
		}
		return true
	})
}

// locals are the names that a function declares anywhere in it.
func locals(fn *ast.FuncDecl) map[string]bool {
	out := map[string]bool{}
	ast.Inspect(fn, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			for _, name := range n.Names {
				out[name.Name] = true
			}
		case *ast.ValueSpec:
			for _, name := range n.Names {
				out[name.Name] = true
			}
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				for _, e := range n.Lhs {
					if name, ok := e.(*ast.Ident); ok {
						out[name.Name] = true
					}
				}
			}
		case *ast.RangeStmt:
			for _, e := range []ast.Expr{n.Key, n.Value} {
				if name, ok := e.(*ast.Ident); ok && n.Tok == token.DEFINE {
					out[name.Name] = true
				}
			}
		}
		return true
	})
	return out
}

// The project stands alone: no sentence in it sends a reader to somebody's machine.
func TestNoMachinePaths(t *testing.T) {
	for _, f := range sources(t, true) {
		for _, group := range f.Comments {
			for _, word := range []string{"/home" + "/", "/Users" + "/", "/root" + "/", ".." + "/shared"} {
				if strings.Contains(group.Text(), word) {
					t.Errorf("%s mentions %s", at(group), word)
				}
			}
		}
	}
}
