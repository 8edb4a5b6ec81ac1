package config

import (
	"errors"
	"net"
	"net/netip"
	"regexp"
	"strconv"
)

var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})$`)

// validAddress accepts host:port to listen on; an empty host is every interface
// and port 0 a free one. Names of ports are refused: they hide a number.
func validAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		if inner, ok := errors.AsType[*net.AddrError](err); ok {
			return errors.New(inner.Err)
		}
		return err
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return errors.New("the port must be from 0 to 65535")
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" && !hostName.MatchString(host) {
		return errors.New("the host is neither a name nor an IP address")
	}
	return nil
}

// loopback reports whether an address can be reached from this machine only. A
// name other than localhost is taken for public, whatever it resolves to.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}
