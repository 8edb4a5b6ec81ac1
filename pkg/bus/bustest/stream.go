package bustest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/nats-io/nats-server/v2/server"
)

// CheckStream tells whether the server itself would read a stream's JSON
// configuration without loss: no key it does not know, no value of another
// type, nothing after the object.
func CheckStream(config []byte) error {
	dec := json.NewDecoder(bytes.NewReader(config))
	dec.DisallowUnknownFields()
	var cfg server.StreamConfig
	if err := dec.Decode(&cfg); err != nil {
		return fmt.Errorf("read stream configuration as the server does: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("read stream configuration of %s: more follows the object", cfg.Name)
	}
	return nil
}
