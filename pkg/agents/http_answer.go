package agents

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"strings"
	"unicode/utf8"

	"genesis/pkg/resilience"
)

// decodeAnswer makes an output of the body of a successful response.
func decodeAnswer(contentType string, body []byte) (json.RawMessage, error) {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")) // a byte order mark is no part of the answer
	// A parameter that does not parse leaves the type itself usable.
	media, _, _ := mime.ParseMediaType(contentType)
	switch {
	case media == "application/json", media == "text/json", strings.HasSuffix(media, "+json"):
		return decodeJSON(body)
	case strings.HasPrefix(media, "text/"):
		return textOutput(string(body)), nil
	case len(bytes.TrimSpace(body)) == 0:
		return textOutput(""), nil
	case contentType == "" && json.Valid(body):
		return decodeJSON(body)
	case contentType == "" && utf8.Valid(body):
		return textOutput(string(body)), nil
	}
	return nil, resilience.Permanent(fmt.Errorf("the answer is %q, want JSON or text", contentType))
}

func decodeJSON(body []byte) (json.RawMessage, error) {
	body = bytes.TrimSpace(body)
	if !json.Valid(body) {
		return nil, fmt.Errorf("the answer is not valid JSON: %s", quote(body))
	}
	body = bytes.ToValidUTF8(body, []byte("\ufffd")) // json.Valid does not look inside strings
	switch body[0] {
	case '{':
		return body, nil
	case '"':
		var text string
		if err := json.Unmarshal(body, &text); err != nil {
			return nil, fmt.Errorf("decode the answer: %w", err)
		}
		return textOutput(text), nil
	}
	return json.RawMessage(`{"value":` + string(body) + `}`), nil
}
