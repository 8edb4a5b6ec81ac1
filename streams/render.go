package streams

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/nats-io/nats.go/jetstream"
)

// Render writes the streams to w, one indented JSON object after another. One
// stream makes a file that `nats stream add --config FILE` accepts unchanged.
func Render(w io.Writer, all ...jetstream.StreamConfig) error {
	for _, cfg := range all {
		text, err := encode(cfg)
		if err != nil {
			return err
		}
		if _, err := w.Write(text); err != nil {
			return fmt.Errorf("render stream %s: %w", cfg.Name, err)
		}
	}
	return nil
}

// RenderDir writes each stream to its own file NAME.json below dir, which it
// makes, and returns the files' paths. Files of the same names are replaced;
// others are left alone.
func RenderDir(dir string, all ...jetstream.StreamConfig) ([]string, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("render streams: %w", err)
	}
	paths := make([]string, 0, len(all))
	for _, cfg := range all {
		text, err := encode(cfg)
		if err != nil {
			return paths, err
		}
		path := filepath.Join(dir, cfg.Name+".json")
		if err := os.WriteFile(path, text, 0o644); err != nil { //nolint:gosec // nothing secret, and others may need to read it
			return paths, fmt.Errorf("render stream %s: %w", cfg.Name, err)
		}
		paths = append(paths, path)
	}
	return paths, nil
}

func encode(cfg jetstream.StreamConfig) ([]byte, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // a subject ends in ">"
	enc.SetIndent("", "  ")
	if err := enc.Encode(cfg); err != nil {
		return nil, fmt.Errorf("render stream %s: %w", cfg.Name, err)
	}
	return text.Bytes(), nil
}
