package bus

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"unicode/utf8"
)

// MethodExecute is the method of a request that names none.
const MethodExecute = "execute"

// MaxTimeout is the longest execution that a request may ask for, in seconds.
const MaxTimeout = 24 * 60 * 60

// maxMethod bounds a method's name, which becomes the label of a metric.
const maxMethod = 64

// A Request is the payload of a request message. At least one of Prompt and
// Input is set; everything else is optional.
type Request struct {
	// ID is the id the publisher put into the payload, if any.
	ID string `json:"id,omitempty"`
	// Method is what is asked of the agent; empty means [MethodExecute].
	Method string `json:"method,omitempty"`
	// Prompt is the text for the agent.
	Prompt string `json:"prompt,omitempty"`
	// Input is a JSON object for the agent, or nil.
	Input json.RawMessage `json:"input,omitempty"`
	// Timeout bounds one execution, in seconds; 0 leaves it to the agent.
	Timeout float64 `json:"timeout,omitempty"`
	// Metadata is a JSON object that is passed on, or nil.
	Metadata json.RawMessage `json:"metadata,omitempty"`
}

// wireRequest tells what was absent from what was empty.
type wireRequest struct {
	ID       *string         `json:"id"`
	Method   *string         `json:"method"`
	Prompt   *string         `json:"prompt"`
	Input    json.RawMessage `json:"input"`
	Timeout  *float64        `json:"timeout"`
	Metadata json.RawMessage `json:"metadata"`
}

// DecodeRequest reads a payload by the rules of the bus: a JSON object whose
// known keys have the right types; unknown keys are ignored, because publishers
// and workers are upgraded at different times. Every error is a [*MalformedError].
func DecodeRequest(payload []byte) (Request, error) {
	if !utf8.Valid(payload) { // the decoder would put other characters into its place
		return Request{}, malformed("the payload is not UTF-8")
	}
	var w wireRequest
	if err := json.Unmarshal(payload, &w); err != nil {
		return Request{}, explainJSON(err)
	}
	if first := firstByte(payload); first != '{' {
		return Request{}, malformed("the payload is not a JSON object")
	}
	r := Request{Input: absentNull(w.Input), Metadata: absentNull(w.Metadata)}
	if w.ID != nil {
		r.ID = *w.ID
	}
	if w.Method != nil {
		r.Method = *w.Method
	}
	if w.Prompt != nil {
		r.Prompt = *w.Prompt
	}
	if w.Timeout != nil {
		if err := ValidTimeout(*w.Timeout); err != nil {
			return Request{}, err
		}
		r.Timeout = *w.Timeout
	}
	return r, r.Validate()
}

// Validate checks a request against the wire contract. Every error is a [*MalformedError].
func (r *Request) Validate() error {
	switch {
	case r.Prompt == "" && len(r.Input) == 0:
		return malformed(`neither "prompt" nor "input" is given`)
	case len(r.Input) > 0 && firstByte(r.Input) != '{':
		return malformed(`"input" must be a JSON object`)
	case len(r.Metadata) > 0 && firstByte(r.Metadata) != '{':
		return malformed(`"metadata" must be a JSON object`)
	case len(r.Method) > maxMethod:
		return malformed(`"method" is longer than %d bytes`, maxMethod)
	}
	if r.Timeout != 0 {
		return ValidTimeout(r.Timeout)
	}
	return nil
}

// ValidTimeout checks a timeout in seconds: above 0, at most [MaxTimeout]. Its
// error is a [*MalformedError].
func ValidTimeout(seconds float64) error {
	if math.IsNaN(seconds) || seconds <= 0 || seconds > MaxTimeout {
		return malformed(`"timeout" is %v: use seconds above 0 and up to %d`, seconds, MaxTimeout)
	}
	return nil
}

// Encode writes the payload. Characters such as < are left as they are.
func (r *Request) Encode() ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return nil, malformed("encode: %v", err)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// Digest identifies the content of a request whatever its id and white space: two
// requests with one id and different digests are different requests.
func (r *Request) Digest() string {
	method := r.Method
	if method == "" {
		method = MethodExecute
	}
	input, metadata := compact(r.Input), compact(r.Metadata)
	b := make([]byte, 0, 5*8+len(method)+len(r.Prompt)+len(input)+len(metadata))
	b = append(binary.BigEndian.AppendUint64(b, uint64(len(method))), method...)
	b = append(binary.BigEndian.AppendUint64(b, uint64(len(r.Prompt))), r.Prompt...)
	b = append(binary.BigEndian.AppendUint64(b, uint64(len(input))), input...)
	b = append(binary.BigEndian.AppendUint64(b, uint64(len(metadata))), metadata...)
	b = binary.BigEndian.AppendUint64(b, math.Float64bits(r.Timeout))
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

func compact(raw json.RawMessage) []byte {
	if len(raw) == 0 {
		return nil
	}
	var buf bytes.Buffer
	if err := json.Compact(&buf, raw); err != nil {
		return raw
	}
	return buf.Bytes()
}

func firstByte(raw []byte) byte {
	for _, c := range raw {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c
		}
	}
	return 0
}

func absentNull(raw json.RawMessage) json.RawMessage {
	if string(raw) == "null" {
		return nil
	}
	return raw
}

// explainJSON puts a decoding error into a publisher's words.
func explainJSON(err error) *MalformedError {
	if typeErr, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if typeErr.Field == "" {
			return malformed("the payload is a JSON %s, not an object", typeErr.Value)
		}
		if number, ok := strings.CutPrefix(typeErr.Value, "number "); ok {
			return malformed("%q is %s, out of range", typeErr.Field, clip(number))
		}
		return malformed("%q must be a %s, not %s", typeErr.Field, jsonKind(typeErr.Type.Kind().String()), withArticle(typeErr.Value))
	}
	if syntaxErr, ok := errors.AsType[*json.SyntaxError](err); ok {
		return malformed("not JSON: %v (at byte %d)", syntaxErr, syntaxErr.Offset)
	}
	return malformed("not JSON: %v", err)
}

func jsonKind(goKind string) string {
	if goKind == "float64" {
		return "number"
	}
	return goKind
}

func withArticle(noun string) string {
	if noun == "array" || noun == "object" {
		return "an " + noun
	}
	return "a " + noun
}
