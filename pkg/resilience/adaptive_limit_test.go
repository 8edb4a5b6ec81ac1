package resilience

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestLatencyBuckets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, int64(10*24*time.Hour)).Draw(t, "latency"))
		i := bucketOf(d)
		from, to := bucketStart(i), bucketStart(i+1)
		if i > 0 && d < from || d >= to {
			t.Fatalf("got bucket %d, from %v to %v, for %v", i, from, to, d)
		}
		if i > 4 && to-from > from/4+time.Microsecond {
			t.Fatalf("bucket %d is from %v to %v, want at most a quarter wide", i, from, to)
		}
	})
}

func TestLatencyMedian(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		low := rapid.IntRange(1, 1000).Draw(t, "low, ms")
		n := rapid.IntRange(1, 50).Draw(t, "calls")
		congested := rapid.IntRange(0, 50).Draw(t, "congested")
		var w latencyWindow
		for range n { // more than half
			w.add(time.Duration(low) * time.Millisecond)
		}
		for range n - 1 {
			w.add(time.Hour)
		}
		for range congested {
			w.addCongested()
		}
		got := w.take()
		if want := bucketStart(bucketOf(time.Duration(low) * time.Millisecond)); got.median != want {
			t.Fatalf("median: got %v, want %v", got.median, want)
		}
		if want := float64(congested) / float64(2*n-1+congested); got.congested != want {
			t.Fatalf("congested: got %v, want %v", got.congested, want)
		}
		if again := w.take(); again != (windowed{}) {
			t.Fatalf("taken again: got %+v, want nothing", again)
		}
	})
}

// The rules of the limit, over any run of windows.
func TestAIMDKeepsItsRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := aimd{
			floor: rapid.IntRange(1, 10).Draw(t, "floor"), tolerance: rapid.Float64Range(1.1, 10).Draw(t, "tolerance"),
			maxAge: time.Minute, starting: true,
		}
		a.ceiling = a.floor + rapid.IntRange(0, 100).Draw(t, "ceiling above floor")
		a.limit = rapid.IntRange(a.floor, a.ceiling).Draw(t, "initial")
		now := time.Duration(0)
		for range rapid.IntRange(1, 100).Draw(t, "windows") {
			now += time.Duration(rapid.IntRange(1, 20).Draw(t, "window, s")) * time.Second
			w := windowed{
				median:    time.Duration(rapid.IntRange(0, 100).Draw(t, "median, ms")) * time.Millisecond,
				congested: rapid.SampledFrom([]float64{0, 0.05, 0.1, 0.2, 1}).Draw(t, "congested"),
				used:      rapid.Bool().Draw(t, "used"),
			}
			before := a
			got := a.next(now, w)
			measuring := before.probing > 0 || a.probing > 0
			switch {
			case got < a.floor || got > a.ceiling:
				t.Fatalf("got %d, want it within %d and %d", got, a.floor, a.ceiling)
			case measuring && before.probing == 1 && got != before.resume:
				t.Fatalf("after measuring: got %d, want %d as before it", got, before.resume)
			case measuring:
			case w.congested > maxCongested && got > max(before.limit-1, a.floor):
				t.Fatalf("congested: got %d after %d, want less", got, before.limit)
			case !w.used && got > before.limit:
				t.Fatalf("unused: got %d after %d, want no more", got, before.limit)
			case w.used && w.congested == 0 && w.median <= before.baseline && got < before.limit:
				t.Fatalf("fast as ever: got %d after %d, want no less", got, before.limit)
			case !before.starting && got > before.limit+1:
				t.Fatalf("got %d after %d, want at most one more", got, before.limit)
			}
		}
	})
}
