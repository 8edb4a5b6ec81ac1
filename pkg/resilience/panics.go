package resilience

import (
	"errors"
	"runtime"
)

// errGoexit is what a function that ended its goroutine (runtime.Goexit, as
// testing's FailNow does) leaves behind.
var errGoexit = errors.New("resilience: the function ended its goroutine instead of returning")

// raised is a panic on its way from the goroutine it happened in to the one
// that waits for it, where it is raised again with its own value.
type raised struct{ value any }

// caught runs fn and returns its panic, if any. A function that ends its
// goroutine is errGoexit; the goroutine still ends.
func caught(fn func() error, done func(err error, p *raised)) {
	returned := false
	var err error
	defer func() {
		if returned {
			done(err, nil)
			return
		}
		if value := recover(); value != nil {
			done(nil, &raised{value})
			return
		}
		done(Permanent(errGoexit), nil)
		runtime.Goexit()
	}()
	err = fn()
	returned = true
}
