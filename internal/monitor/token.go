package monitor

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

// operatorsOnly lets requests through that carry the operator's token. Without a
// token configured none is let through. The comparison takes the same time whatever
// was sent, its length included.
func operatorsOnly(token string, next http.Handler) http.Handler {
	want := sha256.Sum256([]byte(token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token == "" {
			writeProblem(w, http.StatusForbidden, "no operator token is set: start the monitor with GENESIS_OPERATOR_TOKEN")
			return
		}
		scheme, sent, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		got := sha256.Sum256([]byte(sent))
		if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", `Bearer realm="genesis"`)
			writeProblem(w, http.StatusUnauthorized, "send the operator token: Authorization: Bearer TOKEN")
			return
		}
		next.ServeHTTP(w, r)
	})
}
