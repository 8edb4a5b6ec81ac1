package gateway

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"genesis/internal/config"
	"genesis/internal/keys"
)

// access decides who may call. A gateway on loopback in development is open to all
// programs of its machine; everywhere else a client shows its API key.
type access struct {
	required bool
	keys     *keys.Store // nil: there are none
	operator [sha256.Size]byte
	// noOperator says that no operator token is set.
	noOperator bool
}

// A client is who calls.
type client struct {
	// name is that of its API key; empty without one.
	name string
	// bucket is what its rate is counted by.
	bucket string
}

func newAccess(cfg *config.Config, store *keys.Store, operatorToken string) *access {
	return &access{
		required: cfg.KeysRequired(), keys: store,
		operator: sha256.Sum256([]byte(operatorToken)), noOperator: operatorToken == "",
	}
}

// admit says who calls, or refuses. A key that is shown has to be good, also where
// none is needed.
func (a *access) admit(w http.ResponseWriter, r *http.Request) (client, error) {
	key := shownKey(r.Header)
	if key == "" && a.required {
		w.Header().Set("WWW-Authenticate", `Bearer realm="genesis"`)
		return client{}, refuse(kindUnauthorized, "no API key: send it as `Authorization: Bearer gk_...` or `X-API-Key: gk_...`; `genesis keys add NAME` makes one")
	}
	if key != "" {
		if a.keys != nil {
			if name, ok := a.keys.Verify(key); ok {
				return client{name: name, bucket: "key " + name}, nil
			}
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="genesis", error="invalid_token"`)
		return client{}, refuse(kindUnauthorized, "the API key is not known, or was removed: `genesis keys ls` lists the keys, `genesis keys add NAME` makes one")
	}
	// A browser on this machine can be made to call a name that resolves to it.
	if !localHost(r.Host) {
		return client{}, refuse(kindForbidden, "without API keys the gateway is called as localhost, not as %s: use that name, or set gateway.keys_file and send a key", quote(r.Host))
	}
	return client{bucket: addressBucket(r.RemoteAddr)}, nil
}

// operate lets an operator in.
func (a *access) operate(w http.ResponseWriter, r *http.Request) error {
	if a.noOperator {
		return refuse(kindUnauthorized, "no operator token is set: start the gateway with GENESIS_OPERATOR_TOKEN")
	}
	shown := sha256.Sum256([]byte(bearer(r.Header)))
	if subtle.ConstantTimeCompare(shown[:], a.operator[:]) != 1 {
		w.Header().Set("WWW-Authenticate", `Bearer realm="genesis operators"`)
		return refuse(kindUnauthorized, "this is for operators: send the operator token as `Authorization: Bearer TOKEN`")
	}
	return nil
}

// shownKey is the API key that a client sends. What another scheme of Authorization
// carries is none of it.
func shownKey(h http.Header) string {
	if key := bearer(h); key != "" {
		return key
	}
	return h.Get("X-API-Key")
}

func bearer(h http.Header) string {
	scheme, token, _ := strings.Cut(h.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// localHost reports whether a Host field names this machine by an address that nobody
// else can be given.
func localHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true // browsers always send a Host
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// addressBucket is what a client without a key is counted by: its address, and in
// IPv6 its network, because one customer has 2^64 addresses there.
func addressBucket(remote string) string {
	addr, err := netip.ParseAddrPort(remote)
	if err != nil {
		return remote
	}
	ip := addr.Addr().Unmap()
	if ip.Is6() {
		if network, err := ip.Prefix(64); err == nil {
			return network.String()
		}
	}
	return ip.String()
}
