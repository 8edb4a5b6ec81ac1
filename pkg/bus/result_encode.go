package bus

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// encode writes the payload. It is on the way of every request, so it is written out
// instead of reflected; a test holds it to what encoding/json writes.
func (r *Result) encode() ([]byte, error) {
	output := []byte("null")
	if len(r.Output) > 0 {
		if !r.valid && (firstByte(r.Output) != '{' || !json.Valid(r.Output)) {
			return nil, fmt.Errorf("%w: the output of %s is not a JSON object", ErrInvalid, r.ID)
		}
		output = r.Output
	}
	b := make([]byte, 0, 400+len(output))
	b = append(b, `{"id":`...)
	b = appendJSON(b, r.ID)
	b = append(b, `,"agent":`...)
	b = appendJSON(b, r.Agent)
	b = append(b, `,"success":`...)
	b = strconv.AppendBool(b, r.Success)
	b = append(b, `,"output":`...)
	b = append(b, output...)
	b = append(b, `,"error":`...)
	if e := r.Error; e == nil {
		b = append(b, "null"...)
	} else {
		b = append(b, `{"code":`...)
		b = appendJSON(b, string(e.Code))
		b = append(b, `,"message":`...)
		b = appendJSON(b, e.Message)
		b = append(b, `,"retryable":`...)
		b = strconv.AppendBool(b, e.Retryable)
		b = append(b, '}')
	}
	b = append(b, `,"metadata":`...)
	return append(r.Meta.append(b), '}'), nil
}

func (m *ResultMeta) append(b []byte) []byte {
	b = append(b, `{"degraded":`...)
	b = strconv.AppendBool(b, m.Degraded)
	b = append(b, `,"rung":`...)
	b = appendJSON(b, m.Rung)
	b = append(b, `,"provider":`...)
	b = appendJSON(b, m.Provider)
	b = append(b, `,"retry_count":`...)
	b = strconv.AppendInt(b, int64(m.RetryCount), 10)
	b = append(b, `,"deliveries":`...)
	b = strconv.AppendUint(b, m.Deliveries, 10)
	b = append(b, `,"queued_ms":`...)
	b = strconv.AppendInt(b, m.QueuedMS, 10)
	b = append(b, `,"duration_ms":`...)
	b = strconv.AppendInt(b, m.DurationMS, 10)
	b = append(b, `,"worker":`...)
	b = appendJSON(b, m.Worker)
	b = append(b, `,"trace_id":`...)
	b = appendJSON(b, m.TraceID)
	b = append(b, `,"usage":{"input_tokens":`...)
	b = strconv.AppendInt(b, int64(m.Usage.InputTokens), 10)
	b = append(b, `,"output_tokens":`...)
	b = strconv.AppendInt(b, int64(m.Usage.OutputTokens), 10)
	return append(b, '}', '}')
}

// appendJSON writes a JSON string; what is not plain ASCII is left to encoding/json.
func appendJSON(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, err := json.Marshal(s)
			if err != nil { // a string always encodes
				return append(b, `""`...)
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
