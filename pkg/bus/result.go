package bus

import (
	"encoding/json"
	"fmt"
)

// A Code classifies a failure for programs.
type Code string

// The codes of the wire contract.
const (
	CodeInvalidRequest Code = "invalid_request"
	CodeUnknownAgent   Code = "unknown_agent"
	CodeTimeout        Code = "timeout"
	CodeExpired        Code = "expired"
	CodeRejected       Code = "rejected"
	CodePermanent      Code = "permanent"
	CodeExhausted      Code = "exhausted"
	CodePoison         Code = "poison"
	CodeMalformed      Code = "malformed"
	CodeTooLarge       Code = "too_large"
	CodeCancelled      Code = "cancelled"
	CodeInternal       Code = "internal"
)

// A Result is the payload of a result message: what became of a request.
type Result struct {
	ID      string          `json:"id"`
	Agent   string          `json:"agent"`
	Success bool            `json:"success"`
	Output  json.RawMessage `json:"output"` // a JSON object, or null after a failure
	Error   *ResultError    `json:"error"`
	Meta    ResultMeta      `json:"metadata"`

	valid bool // Output is known to be a JSON object
}

// A ResultError is why a request failed. Retryable tells a client whether sending
// the request again, under a new id, could succeed.
type ResultError struct {
	Code      Code   `json:"code"`
	Message   string `json:"message"`
	Retryable bool   `json:"retryable"`
}

// Error is the code and the message.
func (e *ResultError) Error() string { return string(e.Code) + ": " + e.Message }

// ResultMeta tells how a result came to be. Deliveries is the broker's count,
// RetryCount the attempts that failed before this one; durations are in milliseconds.
type ResultMeta struct {
	Degraded   bool   `json:"degraded"`
	Rung       string `json:"rung"`
	Provider   string `json:"provider"`
	RetryCount int    `json:"retry_count"`
	Deliveries uint64 `json:"deliveries"`
	QueuedMS   int64  `json:"queued_ms"`
	DurationMS int64  `json:"duration_ms"`
	Worker     string `json:"worker"`
	TraceID    string `json:"trace_id"`
	Usage      Usage  `json:"usage"`
}

// Usage counts what a model consumed.
type Usage struct {
	InputTokens  int `json:"input_tokens"`
	OutputTokens int `json:"output_tokens"`
}

// DecodeResult reads a result's payload.
func DecodeResult(payload []byte) (Result, error) {
	var r Result
	if err := json.Unmarshal(payload, &r); err != nil {
		return Result{}, fmt.Errorf("decode a result: %w", err)
	}
	return r, nil
}
