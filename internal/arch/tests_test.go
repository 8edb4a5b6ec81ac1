package arch

import (
	"go/ast"
	"go/types"
	"maps"
	"slices"
	"strings"
)

// testRules keep the tests honest.
func testRules() []rule {
	return []rule{
		{
			promise: "no test skips itself",
			because: "a skipped test is green and proves nothing; what it needs belongs in the test or behind a build tag that CI sets",
			check:   eachFile(checkSkip),
			breaks: []sources{
				{"pkg/bus/a_test.go": skipping("func TestA(t *testing.T) { t.Skip() }")},
				{"pkg/bus/a_test.go": skipping("func BenchmarkA(b *testing.B) { b.SkipNow() }")},
				{"pkg/bus/a_test.go": skipping("func FuzzA(f *testing.F) { f.Fuzz(func(t *testing.T, s string) { t.Skipf(s) }) }")},
				{"pkg/bus/bustest/a.go": skipping("func Run(tb testing.TB) { func() { tb.Skip() }() }")},
				{"pkg/bus/a_test.go": skipping("func TestA(t *testing.T) { if testing.Short() { return } }")},
			},
			keeps: []sources{
				{"pkg/bus/a_test.go": skipping("func TestA(t *testing.T) { rapid.Check(t, func(t *rapid.T) { t.Skip() }) }")},
				{"pkg/bus/a.go": skipping("func f(r Reader) { r.Skip() }")},
			},
		},
		{
			promise: "every package with tests looks for leaked goroutines in its TestMain (goleak)",
			because: "Run(ctx) promises that all it started has stopped; only a check after every test proves it",
			check:   checkLeaks,
			breaks: []sources{
				{"pkg/bus/a_test.go": "package bus\nfunc TestA(t *testing.T) {}\n"},
				{"pkg/bus/a_test.go": "package bus_test\nfunc ExampleA() {}\n"},
				{"pkg/bus/a_test.go": "package bus\nfunc TestMain(m *testing.M) { m.Run() }\nfunc FuzzA(f *testing.F) {}\n"},
				{
					"pkg/bus/bustest/a.go": "package bustest\nfunc Main(m *testing.M) { m.Run() }\n",
					"pkg/bus/a_test.go":    bustestMain + "func TestA(t *testing.T) {}\n",
				},
				{
					"pkg/bus/a_test.go":         "package bus\nfunc TestA(t *testing.T) {}\n",
					"pkg/bus/bustest/a_test.go": leakTested("func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }"),
				},
			},
			keeps: []sources{
				{
					"pkg/bus/a_test.go":    "package bus_test\nfunc TestA(t *testing.T) {}\n",
					"pkg/bus/main_test.go": leakTested("func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }"),
				},
				{"cmd/genesis/a_test.go": leakTested("func TestMain(m *testing.M) { testscript.Main(checked{m}, nil) }\n" +
					"func (c checked) Run() int { if goleak.Find() != nil { return 1 }; return 0 }\nfunc TestA(t *testing.T) {}")},
				{
					"pkg/bus/bustest/a.go": leakTested("func Main(m *testing.M) { goleak.VerifyTestMain(m) }"),
					"pkg/bus/a_test.go":    bustestMain + "func TestA(t *testing.T) {}\n",
				},
				{"pkg/bus/a_test.go": "package bus\nfunc helper() {}\n"},
				{"pkg/bus/a.go": "package bus\nfunc TestA() {}\n"},
			},
		},
	}
}

// checkSkip finds calls of Skip on what the innermost function declaring that
// name takes from the testing package.
func checkSkip(f file) []finding {
	var found []finding
	f.selections("testing", []string{"Short"}, func(sel *ast.SelectorExpr) {
		found = append(found, f.finding(sel, "asks whether to run less"))
	})
	var stack []ast.Node
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		if n == nil {
			stack = stack[:len(stack)-1]
			return true
		}
		stack = append(stack, n)
		sel, ok := n.(*ast.SelectorExpr)
		if !ok || !slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && strings.HasPrefix(parameterType(stack, x.Name), "testing.") {
			found = append(found, f.finding(sel, "skips"))
		}
		return true
	})
	return found
}

// parameterType returns the type, without its star, of the parameter called
// name of the innermost function on the stack that has one; "" for none.
func parameterType(stack []ast.Node, name string) string {
	for _, n := range slices.Backward(stack) {
		var params *ast.FieldList
		switch fn := n.(type) {
		case *ast.FuncDecl:
			params = fn.Type.Params
		case *ast.FuncLit:
			params = fn.Type.Params
		default:
			continue
		}
		for _, field := range params.List {
			for _, ident := range field.Names {
				if ident.Name == name {
					return strings.TrimPrefix(types.ExprString(field.Type), "*")
				}
			}
		}
	}
	return ""
}

// checkLeaks accepts goleak itself and bustest.Main as long as that calls goleak.
func checkLeaks(tr tree) []finding {
	var helper bool
	for _, f := range tr.files {
		helper = helper || f.dir() == "pkg/bus/bustest" && !f.isTest() && f.findsLeaks()
	}
	tested, checked := map[string]bool{}, map[string]bool{}
	for _, f := range tr.files {
		if !f.isTest() {
			continue
		}
		for _, decl := range f.syntax.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			switch {
			case !ok || fn.Recv != nil:
			case fn.Name.Name == "TestMain":
				checked[f.dir()] = f.findsLeaks() || helper && f.mentions("genesis/pkg/bus/bustest", "Main")
			case isTestFunc(fn.Name.Name):
				tested[f.dir()] = true
			}
		}
	}
	var found []finding
	for _, dir := range slices.Sorted(maps.Keys(tested)) {
		if !checked[dir] {
			found = append(found, finding{path: dir, what: "has tests, but no TestMain with goleak.VerifyTestMain, goleak.Find or bustest.Main"})
		}
	}
	return found
}

func (f file) findsLeaks() bool { return f.mentions("go.uber.org/goleak", "VerifyTestMain", "Find") }

func (f file) mentions(importPath string, names ...string) bool {
	mentioned := false
	f.selections(importPath, names, func(*ast.SelectorExpr) { mentioned = true })
	return mentioned
}

func isTestFunc(name string) bool {
	for _, prefix := range []string{"Test", "Benchmark", "Fuzz", "Example"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

func skipping(decl string) string {
	return "package p\nimport \"testing\"\n" + decl + "\n"
}

func leakTested(decls string) string {
	return "package p\nimport \"go.uber.org/goleak\"\n" + decls + "\n"
}

const bustestMain = "package p\nimport \"genesis/pkg/bus/bustest\"\nfunc TestMain(m *testing.M) { bustest.Main(m) }\n"
