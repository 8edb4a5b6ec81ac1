package resilience

// shutRungs is what a ladder met whose rungs rejected the call, one after the
// other from the first. Rejections are made in advance (see [Breaker]), so while
// a dependency is out the next call meets the very same, and is told the very
// same. It never changes.
type shutRungs struct {
	rungs []*RungError   // each with a *RejectedError
	err   *FallbackError // nil when a rung below answered
}

// passage is what one call met on its way down the rungs.
type passage struct {
	last  *shutRungs // what an earlier call met; nil: none
	same  int        // how many rungs met the same so far
	rungs []*RungError
	other bool // some rung failed in another way than by a *RejectedError
}

// add notes that a rung did not answer. While it is all the same as last time it
// allocates nothing.
func (p *passage) add(name string, skipped bool, err error) {
	rejection, plain := err.(*RejectedError) //nolint:errorlint // only the very same error is the same
	p.other = p.other || !plain
	n := len(p.rungs)
	if plain && p.last.has(n, name, skipped, rejection) && p.same == n {
		p.same++
		p.rungs = p.last.rungs[: n+1 : n+1] // what is appended goes elsewhere
		return
	}
	p.rungs = append(p.rungs, &RungError{Rung: name, Skipped: skipped, Err: err})
}

// has says whether this is what the n-th rung said.
func (s *shutRungs) has(n int, name string, skipped bool, rejection *RejectedError) bool {
	if s == nil || n >= len(s.rungs) {
		return false
	}
	said, _ := s.rungs[n].Err.(*RejectedError) //nolint:errorlint // as above
	return said == rejection && s.rungs[n].Rung == name && s.rungs[n].Skipped == skipped
}

// isLast says whether the call met what the earlier one did, no more and no less.
func (p *passage) isLast() bool {
	return p.last != nil && p.same == len(p.rungs) && p.same == len(p.last.rungs)
}

// passed returns why the rungs above the one that answered did not.
func (f *Fallback) passed(p *passage) []*RungError {
	if len(p.rungs) > 0 && p.same < len(p.rungs) && !p.other {
		f.shut.Store(&shutRungs{rungs: p.rungs})
	}
	return p.rungs
}

// refused returns why no rung answered.
func (f *Fallback) refused(p *passage) (Answer, error) {
	none := Answer{Index: -1, Passed: p.rungs}
	if p.isLast() && p.last.err != nil {
		return none, p.last.err
	}
	err := newFallbackError(p.rungs)
	if !p.other {
		f.shut.Store(&shutRungs{rungs: p.rungs, err: err})
	}
	return none, err
}
