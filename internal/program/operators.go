package program

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

// OperatorsOnly lets requests through that carry the operator's token. Without a
// token configured none is let through; name is the program that wants it. The
// comparison takes the same time whatever was sent, its length included.
func OperatorsOnly(name, token string, next http.Handler) http.Handler {
	want := sha256.Sum256([]byte(token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token == "" {
			WriteProblem(w, http.StatusForbidden, "no operator token is set: start the "+name+" with GENESIS_OPERATOR_TOKEN")
			return
		}
		scheme, sent, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		got := sha256.Sum256([]byte(sent))
		if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", `Bearer realm="genesis"`)
			WriteProblem(w, http.StatusUnauthorized, "send the operator token: Authorization: Bearer TOKEN")
			return
		}
		next.ServeHTTP(w, r)
	})
}
