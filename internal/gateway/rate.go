package gateway

import (
	"container/list"
	"fmt"
	"math"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"genesis/internal/config"
)

// maxClients is how many clients are remembered. Beyond it the one that called least
// recently is forgotten, and begins anew when it comes back.
const maxClients = 10_000

// rates bounds how many requests each client publishes, and says so in the RateLimit
// fields (draft-ietf-httpapi-ratelimit-headers).
type rates struct {
	limit  rate.Limit
	burst  int
	policy string
	now    func() time.Time

	mu     sync.Mutex
	recent *list.List // of *bucket, the most recent first
	byName map[string]*list.Element
}

type bucket struct {
	name    string
	limiter *rate.Limiter
}

// newRates returns nil when there is no limit.
func newRates(c config.RateLimit, now func() time.Time) *rates {
	if !c.Enabled() {
		return nil
	}
	l := &rates{
		limit: rate.Limit(c.RequestsPerSecond), burst: c.Depth(), now: now,
		recent: list.New(), byName: make(map[string]*list.Element),
	}
	l.policy = fmt.Sprintf(`"client";q=%d;w=%s`, l.burst, wholeSeconds(l.refill(0)))
	return l
}

// take counts one request of a client, or refuses it. It sets the RateLimit fields. A
// nil *rates lets everything pass.
func (l *rates) take(h http.Header, who string) error {
	if l == nil {
		return nil
	}
	now := l.now()
	limiter := l.of(who)
	allowed := limiter.AllowN(now, 1)
	tokens := max(limiter.TokensAt(now), 0)
	h["RateLimit-Policy"] = []string{l.policy} // the draft's spelling, which Set would change
	h["RateLimit"] = []string{fmt.Sprintf(`"client";r=%d;t=%s`, int(tokens), wholeSeconds(l.refill(tokens)))}
	if allowed {
		return nil
	}
	wait := time.Duration(math.Ceil((1 - tokens) / float64(l.limit) * float64(time.Second)))
	return refuse(kindRate, "more than %g requests a second (%d at once): come back in %s seconds", float64(l.limit), l.burst, wholeSeconds(wait)).after(wait)
}

// refill is how long until a client with so many tokens has all of them again.
func (l *rates) refill(tokens float64) time.Duration {
	seconds := max(float64(l.burst)-tokens, 0) / float64(l.limit)
	return time.Duration(min(seconds, math.MaxInt32) * float64(time.Second))
}

// of finds the limiter of a client.
func (l *rates) of(name string) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e, ok := l.byName[name]; ok {
		l.recent.MoveToFront(e)
		return e.Value.(*bucket).limiter
	}
	if l.recent.Len() >= maxClients {
		oldest := l.recent.Back()
		delete(l.byName, oldest.Value.(*bucket).name)
		l.recent.Remove(oldest)
	}
	b := &bucket{name, rate.NewLimiter(l.limit, l.burst)}
	l.byName[name] = l.recent.PushFront(b)
	return b.limiter
}
