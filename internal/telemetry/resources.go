package telemetry

import (
	"math"
	"os"
	"runtime"
	"runtime/metrics"
	"sync"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"
	"github.com/shirou/gopsutil/v4/process"
)

// resourcesAge is how old figures may be: rates over less time say nothing.
const resourcesAge = time.Second

// ResourceUsage is what a program uses, and what its machine has left. A figure that
// the system does not tell is left out.
type ResourceUsage struct {
	Process ProcessUsage `json:"process" doc:"This process"`
	Host    HostUsage    `json:"host" doc:"The machine it runs on"`
}

// ProcessUsage is what the process uses.
type ProcessUsage struct {
	CPUPercent *float64 `json:"cpu_percent,omitempty" doc:"Time on processors since the figures before; 100 is one of them"`
	RSSBytes   *uint64  `json:"rss_bytes,omitempty" doc:"Memory that is resident"`
	HeapBytes  uint64   `json:"heap_bytes" doc:"Memory of objects on the heap"`
	Goroutines int      `json:"goroutines" doc:"Goroutines"`
	OpenFiles  *int     `json:"open_files,omitempty" doc:"Files and connections that are open"`
	CPUs       int      `json:"cpus" doc:"Processors that it may use at once"`
}

// HostUsage is how the machine is.
type HostUsage struct {
	CPUPercent     *float64   `json:"cpu_percent,omitempty" doc:"Time on processors since the figures before; 100 is all of them"`
	Load           []float64  `json:"load,omitempty" doc:"Load averages over 1, 5 and 15 minutes"`
	MemoryBytes    *uint64    `json:"memory_bytes,omitempty" doc:"Memory in all"`
	AvailableBytes *uint64    `json:"available_bytes,omitempty" doc:"Memory that programs may still have"`
	MemoryPercent  *float64   `json:"memory_percent,omitempty" doc:"Part of the memory in use"`
	Disk           *DiskUsage `json:"disk,omitempty" doc:"The file system of the data, where they are on this machine"`
}

// DiskUsage is how full a file system is.
type DiskUsage struct {
	Path        string  `json:"path" doc:"A directory on it"`
	TotalBytes  uint64  `json:"total_bytes" doc:"Its size"`
	FreeBytes   uint64  `json:"free_bytes" doc:"What is left for programs"`
	UsedPercent float64 `json:"used_percent" doc:"Part of it in use"`
}

// Resources looks at what the process and its machine use. Make it with [NewResources].
// It starts nothing, and may be used concurrently.
type Resources struct {
	data    string
	start   time.Time
	process *process.Process // nil: the system does not tell

	asking sync.Mutex // held while the system is asked
	mu     sync.Mutex
	last   reading
}

// reading is what was seen at one time, and the processor time up to then.
type reading struct {
	at            time.Time
	process, host spent
	usage         ResourceUsage
}

// spent is processor time: seconds used, of those that there were.
type spent struct{ busy, all float64 }

// NewResources returns what looks at this process. data is a directory of the data,
// whose file system is watched as well; empty: they are not on this machine.
func NewResources(data string) *Resources {
	r := &Resources{data: data, start: time.Now()}
	r.process, _ = process.NewProcess(int32(os.Getpid())) //nolint:gosec // a process id has 22 bits; without the process its figures are left out
	r.last = r.read(reading{})
	return r
}

// Usage returns figures that are at most a second old; in the first second there are no
// rates. While the system is slow to tell, as when a disk hangs, one caller waits for
// it, and all others get the figures before.
func (r *Resources) Usage() ResourceUsage {
	last := r.told()
	if time.Since(last.at) < resourcesAge || !r.asking.TryLock() {
		return last.usage
	}
	defer r.asking.Unlock()
	next := r.read(last)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = next
	return next.usage
}

func (r *Resources) told() reading {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// read asks the system. An error leaves a figure out.
func (r *Resources) read(before reading) reading {
	now := reading{at: time.Now()}
	now.usage.Process, now.process = r.readProcess(before.process)
	now.usage.Host, now.host = readHost(before.host)
	if r.data != "" {
		if d, err := disk.Usage(r.data); err == nil {
			now.usage.Host.Disk = &DiskUsage{r.data, d.Total, d.Free, d.UsedPercent}
		}
	}
	return now
}

func (r *Resources) readProcess(before spent) (ProcessUsage, spent) {
	u := ProcessUsage{HeapBytes: heapBytes(), Goroutines: runtime.NumGoroutine(), CPUs: runtime.GOMAXPROCS(0)}
	if r.process == nil {
		return u, spent{}
	}
	if m, err := r.process.MemoryInfo(); err == nil {
		u.RSSBytes = &m.RSS
	}
	if n, err := r.process.NumFDs(); err == nil {
		files := int(n)
		u.OpenFiles = &files
	}
	t, err := r.process.Times()
	if err != nil {
		return u, spent{}
	}
	now := spent{t.User + t.System, time.Since(r.start).Seconds()}
	u.CPUPercent = now.percentSince(before)
	return u, now
}

func readHost(before spent) (HostUsage, spent) {
	var u HostUsage
	if l, err := load.Avg(); err == nil {
		u.Load = []float64{l.Load1, l.Load5, l.Load15}
	}
	if m, err := mem.VirtualMemory(); err == nil {
		u.MemoryBytes, u.AvailableBytes, u.MemoryPercent = &m.Total, &m.Available, &m.UsedPercent
	}
	t, err := cpu.Times(false)
	if err != nil || len(t) == 0 {
		return u, spent{}
	}
	// The time of guests is in that of users, too.
	busy := t[0].User + t[0].System + t[0].Nice + t[0].Irq + t[0].Softirq + t[0].Steal
	now := spent{busy, busy + t[0].Idle + t[0].Iowait}
	u.CPUPercent = now.percentSince(before)
	return u, now
}

// percentSince is nil when one of both is not known, or no time has passed.
func (s spent) percentSince(before spent) *float64 {
	if before.all <= 0 || s.all <= before.all {
		return nil
	}
	percent := math.Round(max(0, (s.busy-before.busy)/(s.all-before.all))*10000) / 100
	return &percent
}

// heapBytes asks the runtime without stopping it.
func heapBytes() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
