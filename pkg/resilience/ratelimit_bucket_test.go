package resilience

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whoever asks for whatever, in whatever order and by whatever clock: no more
// is granted than the time that any clock saw brought, and one burst.
func TestTokenBucketNeverGrantsMoreThanItsRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		perSecond := rapid.Float64Range(0.01, 1000).Draw(t, "per second")
		burst := rapid.IntRange(1, 2000).Draw(t, "burst")
		skew := rapid.SliceOfN(rapid.IntRange(-5000, 5000), 1, 4).Draw(t, "clocks off by, ms")
		start := time.Unix(1e9, 0)
		now, first, last := start, start, start
		var b TokenBucket
		out, held := 0, 0
		for i := range rapid.IntRange(1, 200).Draw(t, "leases") {
			now = now.Add(time.Duration(rapid.IntRange(0, 300).Draw(t, "pause, ms")) * time.Millisecond)
			replica := rapid.IntRange(0, len(skew)-1).Draw(t, "replica")
			clock := now.Add(time.Duration(skew[replica]) * time.Millisecond)
			if i == 0 {
				first, last = clock, clock
			}
			if clock.After(last) {
				last = clock
			}
			want := rapid.IntRange(-held, 3000).Draw(t, "want")
			// The bucket goes through the store as JSON.
			stored, err := json.Marshal(b)
			if err != nil {
				t.Fatal(err)
			}
			b = TokenBucket{}
			if err := json.Unmarshal(stored, &b); err != nil {
				t.Fatal(err)
			}
			spent := rapid.IntRange(0, 100).Draw(t, "spent")
			var granted int
			b, granted, _ = b.take(lease{
				replica: fmt.Sprint(replica), now: clock, perSecond: perSecond, burst: burst, want: want, spent: spent, forget: time.Second,
			})
			if granted < 0 || granted > max(want, 0) {
				t.Fatalf("got %d granted, want at most the %d asked for", granted, want)
			}
			if b.Tokens < 0 || b.Tokens > float64(burst) {
				t.Fatalf("got %v tokens, want within 0 and the burst %d", b.Tokens, burst)
			}
			held += granted + min(want, 0)
			out = held
			if most := float64(burst) + perSecond*last.Sub(first).Seconds() + 1e-6; float64(out) > most {
				t.Fatalf("got %d tokens out in %v, want at most %v", out, last.Sub(first), most)
			}
		}
	})
}

func TestTokenBucketShares(t *testing.T) {
	at := time.Unix(1e9, 0)
	seen := func(ages ...time.Duration) map[string]time.Time {
		m := map[string]time.Time{}
		for i, age := range ages {
			m[fmt.Sprint(i)] = at.Add(-age)
		}
		return m
	}
	tests := []struct {
		name     string
		bucket   TokenBucket
		spent    int
		want     int
		granted  int
		left     float64
		replicas int
	}{
		{"a bucket nobody stored is full", TokenBucket{}, 0, 5, 5, 95, 1},
		{"one alone gets everything", TokenBucket{Tokens: 7.5, At: at}, 0, 100, 7, 0.5, 1},
		{"time fills it", TokenBucket{Tokens: 7.5, At: at.Add(-time.Second)}, 0, 100, 17, 0.5, 1},
		{"up to the burst", TokenBucket{Tokens: 7.5, At: at.Add(-time.Hour)}, 0, 0, 0, 100, 1},
		{"one of several gets half, rounded up", TokenBucket{Tokens: 7.5, At: at, Replicas: seen(0, 0)}, 0, 100, 4, 3.5, 3},
		{"and the last one too", TokenBucket{Tokens: 1, At: at, Replicas: seen(0)}, 0, 100, 1, 0, 2},
		{"but not a part of one", TokenBucket{Tokens: 0.9, At: at, Replicas: seen(0)}, 0, 100, 0, 0.9, 2},
		{"who has gone shares no more", TokenBucket{Tokens: 8, At: at, Replicas: seen(time.Minute)}, 0, 100, 8, 0, 1},
		{"what is given back is there", TokenBucket{Tokens: 8, At: at}, 0, -5, 0, 13, 1},
		{"as far as there is room", TokenBucket{Tokens: 98, At: at}, 0, -5, 0, 100, 1},
		{"what was spent without it is charged", TokenBucket{Tokens: 8, At: at}, 3, 1, 1, 4, 1},
		{"as far as there is any", TokenBucket{Tokens: 8, At: at}, 9, 1, 0, 0, 1},
		{"and up to the replica's part of a burst", TokenBucket{Tokens: 90, At: at, Replicas: seen(0)}, 1000, 1, 1, 39, 2},
		{"a clock that is ahead gives nothing twice", TokenBucket{Tokens: 8, At: at.Add(time.Hour)}, 0, 1, 1, 7, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := lease{replica: "me", now: at, perSecond: 10, burst: 100, want: tt.want, spent: tt.spent, forget: 5 * time.Second}
			after, granted, replicas := tt.bucket.take(l)
			if granted != tt.granted || after.Tokens != tt.left || replicas != tt.replicas {
				t.Errorf("got %d granted, %v left, %d replicas, want %d, %v, %d; input %+v",
					granted, after.Tokens, replicas, tt.granted, tt.left, tt.replicas, tt.bucket)
			}
			if after.At.Before(tt.bucket.At) {
				t.Errorf("got a bucket of %v after one of %v, want no going back", after.At, tt.bucket.At)
			}
		})
	}
}
