package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// auditPrefix begins the subject of every audit record.
const auditPrefix = "genesis.audit."

// auditTimeout bounds the writing of a record.
const auditTimeout = 5 * time.Second

// An AuditRecord says who did what, why, to what, and what came of it.
type AuditRecord struct {
	At     time.Time `json:"at"` // zero: now
	Who    string    `json:"who"`
	Verb   string    `json:"verb"` // what was done, as dlq-replay; one token of a subject
	Reason string    `json:"reason"`
	Target string    `json:"target"`
	Result string    `json:"result"`
}

// Audit writes a record into the audit stream, also when ctx has ended: what was done
// was done. It waits at most five seconds. Errors: [ErrInvalid], [ErrUnavailable]; an
// error means that the deed may be without a record, and says which.
func (b *Bus) Audit(ctx context.Context, r AuditRecord) error {
	if err := ValidID(r.Verb); err != nil {
		return fmt.Errorf("audit verb %q: use letters, digits and dashes: %w", r.Verb, ErrInvalid)
	}
	if r.At.IsZero() {
		r.At = time.Now().UTC()
	}
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write the audit record: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditTimeout)
	defer cancel()
	if _, err := b.js.Publish(ctx, auditPrefix+r.Verb, data); err != nil {
		return fmt.Errorf("it was done, but could not be written to the audit stream (%s of %s): %w", r.Verb, r.Target, publishError(err))
	}
	return nil
}
