package telemetry

import (
	"path/filepath"
	"testing"
	"time"
)

// aged is a Resources whose figures are older than it may say.
func aged(data string) *Resources {
	r := NewResources(data)
	r.start, r.last.at = r.start.Add(-time.Hour), r.last.at.Add(-time.Hour)
	return r
}

func TestAProgramKnowsWhatItUses(t *testing.T) {
	dir := t.TempDir()
	u := aged(dir).Usage()
	p, h := u.Process, u.Host
	if p.RSSBytes == nil || *p.RSSBytes < 1<<20 || p.HeapBytes == 0 || p.Goroutines < 1 || p.CPUs < 1 {
		t.Errorf("process: got %+v", p)
	}
	if p.OpenFiles == nil || *p.OpenFiles < 3 {
		t.Errorf("open files: got %v, want the three standard ones at least", p.OpenFiles)
	}
	if h.MemoryBytes == nil || h.AvailableBytes == nil || *h.AvailableBytes == 0 || *h.AvailableBytes > *h.MemoryBytes ||
		h.MemoryPercent == nil || *h.MemoryPercent <= 0 || len(h.Load) != 3 {
		t.Errorf("host: got %+v", h)
	}
	if d := h.Disk; d == nil || d.Path != dir || d.TotalBytes == 0 || d.FreeBytes > d.TotalBytes || d.UsedPercent < 0 || d.UsedPercent > 100 {
		t.Errorf("disk: got %+v", h.Disk)
	}
}

func TestRatesAreSinceTheFiguresBefore(t *testing.T) {
	for _, tt := range []struct {
		name        string
		before, now spent
		want        float64 // below 0: not known
	}{
		{"half of the time", spent{10, 100}, spent{11, 102}, 50},
		{"two processors", spent{10, 100}, spent{14, 102}, 200},
		{"idle", spent{10, 100}, spent{10, 102}, 0},
		{"a counter that went back", spent{10, 100}, spent{9, 102}, 0},
		{"no figures before", spent{}, spent{11, 102}, -1},
		{"no figures now", spent{10, 100}, spent{}, -1},
		{"no time has passed", spent{10, 100}, spent{10, 100}, -1},
	} {
		got := tt.now.percentSince(tt.before)
		if (got == nil) != (tt.want < 0) || got != nil && *got != tt.want {
			t.Errorf("%s: from %v to %v: got %v, want %v", tt.name, tt.before, tt.now, got, tt.want)
		}
	}
	r := NewResources("")
	if u := r.Usage(); u.Process.CPUPercent != nil || u.Host.CPUPercent != nil {
		t.Errorf("at the start: got rates %v and %v, want none", u.Process.CPUPercent, u.Host.CPUPercent)
	}
	limit := time.After(20 * time.Second)
	for r.Usage().Process.CPUPercent == nil || *r.Usage().Process.CPUPercent == 0 { // it works in this loop
		select {
		case <-limit:
			t.Fatalf("after 20 s of work: got %+v, want a rate", r.Usage().Process)
		default:
		}
	}
}

func TestWhatTheSystemDoesNotTellIsLeftOut(t *testing.T) {
	r := aged(filepath.Join(t.TempDir(), "nowhere"))
	r.process = nil
	u := r.Usage()
	if p := u.Process; p.CPUPercent != nil || p.RSSBytes != nil || p.OpenFiles != nil || p.Goroutines == 0 {
		t.Errorf("process: got %+v, want only what the runtime tells", p)
	}
	if u.Host.Disk != nil || u.Host.MemoryBytes == nil {
		t.Errorf("host: got %+v, want its memory, and no disk", u.Host)
	}
}

func TestNobodyWaitsForASystemThatIsSlow(t *testing.T) {
	r := aged("")
	r.last.usage.Process.Goroutines = 4711
	r.asking.Lock() // somebody asks, and gets no answer
	if got := r.Usage().Process.Goroutines; got != 4711 {
		t.Errorf("meanwhile: got %d goroutines, want the figures before", got)
	}
	r.asking.Unlock()
	if got := r.Usage().Process.Goroutines; got == 4711 {
		t.Error("afterwards: got the figures before, want new ones")
	}
	r.last.usage.Process.Goroutines = 4711
	if got := r.Usage().Process.Goroutines; got != 4711 {
		t.Error("within a second: got new figures, want those before")
	}
}
