package bustest

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// A Node describes one server of a cluster that keeps its data as durability standard
// does. Tests that kill servers run each in a process of its own.
type Node struct {
	Dir, Name string
	// Addr is where clients find it; Route where the other servers do.
	Addr, Route string
	// Others are the routes of the other servers.
	Others []string
}

// RunNode runs a server of a cluster until ctx ends. started is called once it runs, which
// is before the cluster has elected anybody.
func RunNode(ctx context.Context, n Node, started func()) error {
	o := &server.Options{
		ServerName: n.Name, JetStream: true, StoreDir: n.Dir, NoSigs: true, SyncInterval: 100 * time.Millisecond,
		Cluster: server.ClusterOpts{Name: "bustest"},
	}
	var err error
	if o.Host, o.Port, err = hostPort(n.Addr); err != nil {
		return err
	}
	if o.Cluster.Host, o.Cluster.Port, err = hostPort(n.Route); err != nil {
		return err
	}
	for _, route := range n.Others {
		o.Routes = append(o.Routes, &url.URL{Scheme: "nats-route", Host: route})
	}
	s, err := server.NewServer(o)
	if err != nil {
		return fmt.Errorf("bustest: new server %s: %w", n.Name, err)
	}
	s.Start()
	started()
	<-ctx.Done()
	s.Shutdown()
	s.WaitForShutdown()
	return nil
}

func hostPort(addr string) (string, int, error) {
	a, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return "", 0, fmt.Errorf("bustest: address %s: %w", addr, err)
	}
	return a.IP.String(), a.Port, nil
}
