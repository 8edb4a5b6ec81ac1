//go:build faults

package crash

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"genesis/internal/config"
	"genesis/internal/program"
	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// nodes is how many servers the cluster of these tests has; each keeps all streams.
const nodes = 3

// serveNode is one server of a cluster: its directory, its name, its address for
// clients, and the addresses of all for each other, its own first.
func serveNode(dir, name, addr, routes string) int {
	ctx, stop := program.UntilSignal(context.Background())
	defer stop()
	all := strings.Split(routes, ",")
	node := bustest.Node{Dir: dir, Name: name, Addr: addr, Route: all[0], Others: all[1:]}
	if err := bustest.RunNode(ctx, node, func() { fmt.Println("started", name) }); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// cluster is three brokers, each in a process of its own.
type cluster struct {
	*system
	names, clients, routes []string
	dirs                   []string
	running                []*process
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{
		system: &system{t: t, config: clusterConfiguration(t)},
		names:  []string{"n1", "n2", "n3"}, clients: freeAddresses(t, nodes), routes: freeAddresses(t, nodes),
		running: make([]*process, nodes),
	}
	for i := range nodes {
		c.dirs = append(c.dirs, t.TempDir())
		c.startNode(i)
	}
	c.addr = strings.Join(c.clients, ",nats://")
	b, err := bus.Connect(t.Context(), bus.Options{URL: c.url(), Wait: patience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	c.bus = b
	cfg, err := config.Load(c.config, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.await("the streams can be made on three servers", func() bool { return program.Prepare(t.Context(), b, cfg) == nil })
	return c
}

func (c *cluster) startNode(i int) {
	c.t.Helper()
	routes := []string{c.routes[i]}
	for j, route := range c.routes {
		if j != i {
			routes = append(routes, route)
		}
	}
	c.running[i] = start(c.t, "node", nil, c.dirs[i], c.names[i], c.clients[i], strings.Join(routes, ","))
	c.running[i].awaitLine("started " + c.names[i])
}

// leader is the server that leads a stream.
func (c *cluster) leader(stream string) int {
	c.t.Helper()
	name := c.stream(stream).Cluster.Leader
	for i := range c.names {
		if c.names[i] == name {
			return i
		}
	}
	c.t.Fatalf("stream %s is led by %q, want one of %q", stream, name, c.names)
	return -1
}

// freeAddresses are addresses that nobody listens on right now.
func freeAddresses(t *testing.T, n int) []string {
	t.Helper()
	all := make([]string, 0, n)
	for range n {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		all = append(all, l.Addr().String())
	}
	return all
}

// clusterConfiguration is that of the other tests, with three replicas. A state has to be
// worse for longer than an election takes before it is told.
func clusterConfiguration(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cluster.yaml")
	text, err := os.ReadFile(configuration(t))
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, `
nats: {replicas: 3}
monitor:
  interval: 500ms
  worse_after: 12
  better_after: 3
  thresholds: # of the outage only shall be told, not of what piles up meanwhile
    lag: {degraded: 0, unhealthy: 0}
    oldest_age: {degraded: 0s, unhealthy: 0s}
    drain_time: {degraded: 0, unhealthy: 0}
    stream_full: {degraded: 0, unhealthy: 0}
`...)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAServerOfAClusterKilledUnderLoad(t *testing.T) {
	c := newCluster(t)
	c.startWorker("")
	c.startMonitor("").awaitLine("this monitor leads")
	c.startMonitor("").awaitLine("ready")
	l := c.load(4)
	l.until(200)

	victim := c.leader(bus.RequestStream("echo"))
	c.running[victim].kill()
	l.until(200)
	c.awaitEvents(bus.Component{Kind: bus.KindDependency, Name: "nats"}, "degraded<-healthy")
	c.startNode(victim)
	c.awaitEvents(bus.Component{Kind: bus.KindDependency, Name: "nats"}, "degraded<-healthy", "healthy<-degraded")
	l.until(200)

	l.end()
	c.onlyEvents(map[string]int{"dependency/nats": 2})
}
