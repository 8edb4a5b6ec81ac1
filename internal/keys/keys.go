// Package keys keeps API keys: which client may use the gateway.
//
// A key is 32 random bytes, shown once, when it is added. The file holds only its
// SHA-256: whoever reads the file cannot use the keys in it, and whoever can write
// it can add one, so nobody but its owner may.
//
// The package does not know HTTP, and it does not decide what a client may do.
package keys

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// Prefix begins every key, so that one that leaked is recognised for what it is.
const Prefix = "gk_"

const (
	keyBytes   = 32
	keyLength  = len(Prefix) + 43 // 32 bytes in unpadded base64
	startBytes = len(Prefix) + 6
	maxName    = 64
)

var (
	// ErrExists says that a key of that name is in the file.
	ErrExists = errors.New("a key of that name exists")
	// ErrNotFound says that no key of that name is in the file.
	ErrNotFound = errors.New("no key of that name")
	// ErrInvalid says that a name cannot name a key.
	ErrInvalid = errors.New("invalid name")
)

// A Key is what the file knows of a key: everything but the key itself.
type Key struct {
	// Name says whose it is. It appears in logs and with each request.
	Name string `json:"name"`
	// Start is the beginning of the key, to tell which one was found somewhere.
	Start string `json:"start"`
	// Created is when it was added.
	Created time.Time `json:"created"`
	// Hash is the SHA-256 of the whole key, in hexadecimal.
	Hash string `json:"hash"`
}

// digest decodes Hash; ok tells whether it is a SHA-256.
func (k Key) digest() (sum [sha256.Size]byte, ok bool) {
	n, err := hex.Decode(sum[:], []byte(k.Hash[:min(len(k.Hash), 2*sha256.Size)]))
	return sum, err == nil && n == len(sum) && len(k.Hash) == 2*sha256.Size
}

// generate makes a key.
func generate() string {
	var secret [keyBytes]byte
	_, _ = rand.Read(secret[:]) // it never fails: the runtime ends the process instead
	return Prefix + base64.RawURLEncoding.EncodeToString(secret[:])
}

// describe makes the entry of a key.
func describe(name, key string, now time.Time) Key {
	sum := sha256.Sum256([]byte(key))
	return Key{Name: name, Start: key[:startBytes], Created: now.UTC().Truncate(time.Second), Hash: hex.EncodeToString(sum[:])}
}

// ValidName checks what a key may be called: a letter or digit, then up to 63
// letters, digits, dots, dashes and underscores. Its error wraps [ErrInvalid].
func ValidName(name string) error {
	bad := name == "" || len(name) > maxName
	for i := 0; i < len(name) && !bad; i++ {
		c := name[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		bad = !letter && (i == 0 || c != '.' && c != '-' && c != '_')
	}
	if bad {
		return fmt.Errorf("%w: %.80q cannot name a key: use a letter or digit, then up to %d letters, digits, dots, dashes or underscores",
			ErrInvalid, name, maxName-1)
	}
	return nil
}
