package resilience

import (
	"context"
	"errors"
	"fmt"
)

// problems gathers everything wrong with a policy's options, so that they are
// reported at once, each with the field's name.
type problems struct {
	policy string
	errs   []error
}

// unless notes what is wrong with a field, unless ok.
func (p *problems) unless(ok bool, field, format string, args ...any) {
	if !ok {
		p.errs = append(p.errs, fmt.Errorf("%s: %s %s", p.policy, field, fmt.Sprintf(format, args...)))
	}
}

// err joins all that was noted; nil for nothing.
func (p *problems) err() error { return errors.Join(p.errs...) }

// usable checks what every Do is given. Its errors are permanent: no retry
// turns a programming mistake into work.
func usable(ctx context.Context, next Func) error {
	switch {
	case ctx == nil:
		return Permanent(errors.New("resilience: the context is nil"))
	case next == nil:
		return errNilFunc()
	}
	return nil
}

// setDefault replaces an option left at zero.
func setDefault[T comparable](option *T, value T) {
	var zero T
	if *option == zero {
		*option = value
	}
}
