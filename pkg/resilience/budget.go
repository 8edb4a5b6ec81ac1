package resilience

import (
	"sync"
	"sync/atomic"
	"time"
)

// The zero [BudgetOptions]' values.
const (
	defaultBudgetRatio = 0.2
	defaultBudgetFloor = 3
	budgetSeconds      = 10 // how far a budget looks back
)

// BudgetOptions say how many retries a dependency may cost.
type BudgetOptions struct {
	// Name is the dependency's.
	Name string

	// Ratio is how many retries there may be for each call. Zero: 0.2, one for
	// each five calls.
	Ratio float64

	// MinPerSecond is how many retries a second are allowed however few calls
	// there are. Zero: 3.
	MinPerSecond int
}

// Budget bounds the retries of one dependency, wherever they are made: in
// process by [Retry], by a broker that delivers again, by a hedge. Retries stay
// within Ratio of the calls of the last ten seconds. Only where that is fewer
// than MinPerSecond, that many are allowed in each second; so a storm of
// failures never costs more than 1 + Ratio times its calls.
//
// It is safe for concurrent use. Deposit takes no lock. A nil Budget allows
// every retry.
type Budget struct {
	options BudgetOptions
	epoch   time.Time
	calls   [budgetSlots]atomic.Uint64 // second<<32 | calls

	mu         sync.Mutex
	spent      [budgetSlots]spending
	suppressed uint64
}

// budgetSlots leaves room for the second that is running out.
const budgetSlots = budgetSeconds + 1

type spending struct {
	second    uint64
	retries   int
	uncounted int // calls that will be deposited but are no new ones
}

// NewBudget returns a budget, or all that is wrong with its options.
func NewBudget(o BudgetOptions) (*Budget, error) {
	setDefault(&o.Ratio, defaultBudgetRatio)
	setDefault(&o.MinPerSecond, defaultBudgetFloor)
	p := problems{policy: "budget"}
	p.unless(o.Ratio > 0 && o.Ratio <= 10, "Ratio", "%v is not within 0 and 10", o.Ratio)
	p.unless(o.MinPerSecond > 0 && o.MinPerSecond <= mostCalls, "MinPerSecond", "%d is not within 1 and %d", o.MinPerSecond, mostCalls)
	if err := p.err(); err != nil {
		return nil, err
	}
	return &Budget{options: o, epoch: time.Now()}, nil
}

// second counts from 1, so that an empty slot is of no second.
func (b *Budget) second() uint64 { return uint64(time.Since(b.epoch)/time.Second) + 1 } //nolint:gosec // time goes forward

// Deposit counts one new call that was tried, not one that was rejected. [Retry]
// does so itself.
func (b *Budget) Deposit() {
	if b == nil {
		return
	}
	second := b.second()
	slot := &b.calls[second%budgetSlots]
	for {
		old := slot.Load()
		next := second<<32 | 1
		if old>>32 == second&0xffffffff {
			next = old + 1
		}
		if slot.CompareAndSwap(old, next) {
			return
		}
	}
}

// Spend asks for one retry and counts it. False: there is none left, do not
// retry now.
func (b *Budget) Spend() bool { return b.spend(0) }

// Redelivered asks for one retry made by delivering the work again. It is Spend
// for work that will pass through a [Retry] with this budget once more: that
// one's Deposit is taken back in advance, because it is not a new call.
func (b *Budget) Redelivered() bool { return b.spend(1) }

func (b *Budget) spend(uncounted int) bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	second := b.second()
	calls, retries := b.window(second)
	now := &b.spent[second%budgetSlots]
	if now.second != second {
		*now = spending{second: second}
	}
	allowed := b.options.Ratio * float64(calls)
	low := allowed < float64(b.options.MinPerSecond*budgetSeconds)
	if float64(retries+1) > allowed && (!low || now.retries >= b.options.MinPerSecond) {
		b.suppressed++
		return false
	}
	now.retries++
	now.uncounted += uncounted
	return true
}

// window sums up the last ten seconds, the present one included. It holds mu.
func (b *Budget) window(second uint64) (calls, retries int) {
	inside := func(s uint64) bool { return s <= second && s+budgetSeconds > second }
	for i := range b.calls {
		slot := b.calls[i].Load()
		if inside(slot >> 32) {
			calls += int(slot & 0xffffffff)
		}
		if s := b.spent[i]; inside(s.second) {
			calls -= s.uncounted
			retries += s.retries
		}
	}
	return max(calls, 0), retries
}

// BudgetStats are the sums of a budget's last ten seconds, and how many retries
// it has suppressed in all.
type BudgetStats struct {
	Name       string `json:"name"`
	Calls      int    `json:"calls"`
	Retries    int    `json:"retries"`
	Suppressed uint64 `json:"suppressed"`
}

// Stats returns the budget's counts. Those of a nil Budget are zero.
func (b *Budget) Stats() BudgetStats {
	if b == nil {
		return BudgetStats{}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	calls, retries := b.window(b.second())
	return BudgetStats{Name: b.options.Name, Calls: calls, Retries: retries, Suppressed: b.suppressed}
}
