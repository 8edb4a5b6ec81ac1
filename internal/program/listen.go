package program

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// Listen listens on a TCP address; port 0 takes a free one. Its error names the
// address and what to do about it; flagHint is the flag that sets the address, such
// as "--http".
func Listen(addr, flagHint string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr) //nolint:noctx // it does not wait for anything
	if err == nil {
		return l, nil
	}
	advice := "check the address"
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		advice = "another program listens there: stop it, or choose another port"
	case errors.Is(err, syscall.EACCES):
		advice = "this user may not use that port: choose one above 1023"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		advice = "this machine does not have that address: choose 127.0.0.1 or one of its own"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err // without the address, which is named already
	}
	return nil, fmt.Errorf("listen on %s: %w: %s with %s", addr, err, advice, flagHint)
}
