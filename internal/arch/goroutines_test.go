package arch

import "go/ast"

// goStatementsAllowed lists the files that may hold a go statement, each with
// the reason why neither errgroup nor sync.WaitGroup.Go would do.
func goStatementsAllowed() map[string]string {
	return map[string]string{}
}

// goroutineRules keep every goroutine waited for and every test free of the clock.
func goroutineRules() []rule {
	return []rule{
		{
			promise: "no go statements: use errgroup or sync.WaitGroup.Go",
			because: "whoever starts a goroutine waits for it; a detached one outlives its owner, its errors and the test",
			check: eachFile(func(f file) []finding {
				if goStatementsAllowed()[f.path] != "" {
					return nil
				}
				var found []finding
				ast.Inspect(f.syntax, func(n ast.Node) bool {
					if _, ok := n.(*ast.GoStmt); ok {
						found = append(found, f.finding(n, "has a go statement"))
					}
					return true
				})
				return found
			}),
			breaks: []sources{
				{"internal/worker/a.go": "package worker\nfunc f() { go f() }\n"},
				{"internal/worker/a_test.go": "package worker\nfunc f() { func() { go f() }() }\n"},
			},
			keeps: []sources{{
				"internal/worker/a.go": "package worker\nimport \"sync\"\nfunc f() { var wg sync.WaitGroup; wg.Go(f); wg.Wait() }\n",
			}},
		},
		{
			promise: "no time.Sleep outside a function given to synctest.Test",
			because: "a sleep is a guess: too short and the test flickers, too long and everybody waits; " +
				"wait for the event, or use virtual time",
			check: eachFile(checkSleep),
			breaks: []sources{
				{"pkg/bus/a.go": sleeping("func f() { time.Sleep(1) }")},
				{"pkg/bus/a.go": sleeping("var pause = time.Sleep")},
				{"pkg/bus/a.go": "package p\nimport clock \"time\"\nfunc f() { clock.Sleep(1) }\n"},
				{"pkg/bus/a_test.go": sleeping("func f(t *testing.T) { synctest.Test(t, func(*testing.T) {}); time.Sleep(1) }")},
				{"pkg/bus/a_test.go": sleeping("func f(t *testing.T) { t.Run(``, func(*testing.T) { time.Sleep(1) }) }")},
			},
			keeps: []sources{
				{"pkg/bus/a_test.go": sleeping("func f(t *testing.T) { synctest.Test(t, func(*testing.T) { func() { time.Sleep(1) }() }) }")},
				{"pkg/bus/a.go": sleeping("func f() { time.Now() }")},
			},
		},
	}
}

func checkSleep(f file) []finding {
	var bubbles []*ast.FuncLit
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && f.isSynctest(call.Fun) {
			for _, arg := range call.Args {
				if lit, ok := arg.(*ast.FuncLit); ok {
					bubbles = append(bubbles, lit)
				}
			}
		}
		return true
	})
	var found []finding
	f.selections("time", []string{"Sleep"}, func(sleep *ast.SelectorExpr) {
		for _, bubble := range bubbles {
			if bubble.Pos() <= sleep.Pos() && sleep.End() <= bubble.End() {
				return
			}
		}
		found = append(found, f.finding(sleep, "sleeps"))
	})
	return found
}

func (f file) isSynctest(fn ast.Expr) bool {
	is := false
	f.selections("testing/synctest", []string{"Test"}, func(sel *ast.SelectorExpr) { is = is || sel == fn })
	return is
}

func sleeping(decl string) string {
	return "package p\nimport (\n\"testing\"\n\"testing/synctest\"\n\"time\"\n)\n" + decl + "\n"
}
