package worker

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"
)

const maxName = 64

// replicaName names a replica: the host and the process tell a person where it is,
// and chance tells apart containers that are alike in both.
func replicaName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "worker"
	}
	host = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '-'
		}
		return r
	}, host)
	var chance [3]byte
	_, _ = rand.Read(chance[:]) // it never fails
	return host[:min(len(host), 40)] + "-" + strconv.Itoa(os.Getpid()) + "-" + hex.EncodeToString(chance[:])
}

// checkName keeps a name fit for a header of a message.
func checkName(name string) error {
	bad := strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' })
	if bad || len(name) > maxName {
		return fmt.Errorf("worker name %.80q: use up to %d printable characters without spaces (GENESIS_WORKER_NAME)", name, maxName)
	}
	return nil
}
