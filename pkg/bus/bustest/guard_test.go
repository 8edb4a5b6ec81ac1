package bustest

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// fatal is a test whose failure is the wanted outcome.
type fatal struct {
	testing.TB
	said string
}

func (f *fatal) Helper() {}
func (f *fatal) Fatal(args ...any) {
	f.said = fmt.Sprint(args...)
	runtime.Goexit()
}

func TestABubbleThatWouldHangFailsAndSaysWhy(t *testing.T) {
	for _, tt := range []struct {
		name string
		opts options
		want string // "" is fine
	}{
		{"with a socket", options{}, "NoListen"},
		{"without a socket", options{noListen: true}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &fatal{TB: t}
			synctest.Test(t, func(*testing.T) {
				var wg sync.WaitGroup
				wg.Go(func() { checkBubble(f, tt.opts) })
				wg.Wait()
			})
			if (f.said == "") != (tt.want == "") || !strings.Contains(f.said, tt.want) {
				t.Errorf("checkBubble said %q, want it to contain %q", f.said, tt.want)
			}
		})
	}
}

func TestOutsideABubbleASocketIsFine(t *testing.T) {
	f := &fatal{TB: t}
	var wg sync.WaitGroup
	wg.Go(func() { checkBubble(f, options{}) })
	wg.Wait()
	if f.said != "" {
		t.Errorf("checkBubble said %q, want nothing", f.said)
	}
}
