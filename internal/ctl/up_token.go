package ctl

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	tokenVariable = "GENESIS_OPERATOR_TOKEN"
	tokenFile     = "operator-token"
)

// operatorToken is the token of the environment, or the one that was made at the first
// start and is kept beside the data, readable by its owner only.
func (c *cli) operatorToken(dir string) (string, error) {
	if c.env != nil {
		if token, _ := c.env(tokenVariable); token != "" {
			return token, nil
		}
	}
	path := filepath.Join(dir, tokenFile)
	text, err := os.ReadFile(path)
	switch {
	case err == nil && strings.TrimSpace(string(text)) != "":
		return strings.TrimSpace(string(text)), nil
	case err == nil:
		return "", fmt.Errorf("the operator token in %s is empty: remove the file to have a new one, or set %s", path, tokenVariable)
	case !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("read the operator token: %w", err)
	}
	var secret [24]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return "", fmt.Errorf("make the operator token: %w", err)
	}
	token := "op_" + base64.RawURLEncoding.EncodeToString(secret[:])
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", fmt.Errorf("keep the operator token: %w", err)
	}
	if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep the operator token: %w", err)
	}
	return token, nil
}
