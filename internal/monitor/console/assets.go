package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strconv"
)

//go:embed assets/*
var assetFiles embed.FS

// assets are the files beside the page, and the build: a digest of all that a loaded page
// is made of, so that a page of an older program knows that it is one.
type assets struct {
	build string
	files map[string][]byte
}

func readAssets(version string) (*assets, error) {
	a := &assets{files: map[string][]byte{}}
	digest := sha256.New()
	_, _ = digest.Write([]byte(version)) // a hash never fails
	for _, dir := range []string{"assets", "templates"} {
		from := assetFiles
		if dir == "templates" {
			from = templateFiles
		}
		entries, err := from.ReadDir(dir)
		if err != nil {
			return nil, fmt.Errorf("read the embedded %s: %w", dir, err)
		}
		for _, entry := range entries {
			text, err := from.ReadFile(path.Join(dir, entry.Name()))
			if err != nil {
				return nil, fmt.Errorf("read the embedded %s: %w", dir, err)
			}
			_, _ = digest.Write(text)
			if dir == "assets" {
				a.files[entry.Name()] = text
			}
		}
	}
	a.build = hex.EncodeToString(digest.Sum(nil)[:6])
	return a, nil
}

// serve answers with one asset. What is asked for by its build never changes.
func (a *assets) serve(w http.ResponseWriter, r *http.Request) {
	text, ok := a.files[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", mediaType(r.PathValue("name")))
	h.Set("Content-Length", strconv.Itoa(len(text)))
	h.Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == a.build {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	_, _ = w.Write(text) // a reader who has gone is no trouble
}

// mediaType knows the few there are; the machine's own table may say anything.
func mediaType(file string) string {
	switch path.Ext(file) {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		return "application/octet-stream"
	}
}
