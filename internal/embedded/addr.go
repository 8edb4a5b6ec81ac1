package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"

	"github.com/nats-io/nats-server/v2/server"
)

var (
	// ErrAddress says that the address is not host:port.
	ErrAddress = errors.New("it is not an address")
	// ErrAddressInUse says that another program listens on the address.
	ErrAddressInUse = errors.New("the address is in use by another program")
	// ErrNotLoopback says that other machines could reach a broker that knows no passwords.
	ErrNotLoopback = errors.New("the embedded NATS server listens on loopback only, because it asks nobody for a password")
)

// checkAddr tells what is wrong with an address in better words than the server has,
// and returns the port as the server wants it.
func checkAddr(ctx context.Context, addr string) (int, error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return 0, fmt.Errorf("%q: %w: use host:port, for example %s", addr, ErrAddress, DefaultAddr)
	}
	port, err := strconv.Atoi(text)
	if err != nil || port < 0 || port > 65535 {
		return 0, fmt.Errorf("%q: %w: the port must be a number from 0 (a free one) to 65535", addr, ErrAddress)
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.Unmap().IsLoopback()) {
		return 0, fmt.Errorf("%q: %w", addr, ErrNotLoopback)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return 0, fmt.Errorf("listen on %s: %w", addr, ErrAddressInUse)
	case err != nil:
		return 0, fmt.Errorf("listen for NATS clients: %w", err)
	}
	if err := l.Close(); err != nil {
		return 0, fmt.Errorf("listen on %s: %w", addr, err)
	}
	if port == 0 {
		return server.RANDOM_PORT, nil
	}
	return port, nil
}
