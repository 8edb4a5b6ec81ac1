package arch

import (
	"fmt"
	"slices"
	"testing"
)

// A rule is a promise about the source tree, with the reason it is made and
// examples that prove it can fail and does not fail for nothing.
type rule struct {
	promise string
	because string
	check   func(tree) []finding
	breaks  []sources
	keeps   []sources
}

// A finding is one place where a rule is broken.
type finding struct {
	path string // below the module's root
	line int    // 0: the whole file or directory
	what string
}

func (f finding) String() string {
	if f.line == 0 {
		return f.path + ": " + f.what
	}
	return fmt.Sprintf("%s:%d: %s", f.path, f.line, f.what)
}

func allRules() []rule {
	return slices.Concat(packageImportRules(), programImportRules(), linkRules(), layoutRules(), goroutineRules(), testRules())
}

func TestTheTreeKeepsEveryRule(t *testing.T) {
	tr := moduleTree(t)
	for _, r := range allRules() {
		t.Run(r.promise, func(t *testing.T) {
			for _, f := range r.check(tr) {
				t.Errorf("%s\n\trule: %s,\n\tbecause %s", f, r.promise, r.because)
			}
		})
	}
}

func TestEveryRuleFindsWhatBreaksIt(t *testing.T) {
	for _, r := range allRules() {
		t.Run(r.promise, func(t *testing.T) {
			if len(r.breaks) == 0 {
				t.Error("got no example that breaks the rule, want one, or nobody knows that it can fail")
			}
			for _, src := range r.breaks {
				if found := r.check(sourceTree(t, src)); len(found) == 0 {
					t.Errorf("got no finding, want one\ninput: %v", src)
				}
			}
		})
	}
}

func TestNoRuleFindsFaultWithWhatKeepsIt(t *testing.T) {
	for _, r := range allRules() {
		t.Run(r.promise, func(t *testing.T) {
			if len(r.keeps) == 0 {
				t.Error("got no example that keeps the rule, want one, or it may refuse everything")
			}
			for _, src := range r.keeps {
				if found := r.check(sourceTree(t, src)); len(found) != 0 {
					t.Errorf("got %v, want no finding\ninput: %v", found, src)
				}
			}
		})
	}
}
