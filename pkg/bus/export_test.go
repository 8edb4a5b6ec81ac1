package bus

import "context"

// ForgetPulls makes the pool believe that its pulls have ended while the broker still
// holds them, as after a connection that was made anew.
func (p *Pool) ForgetPulls() {
	for _, puller := range p.pullers {
		puller.finish(pullEnd{})
	}
}

// VerifyWindow verifies one agent, size sequences at a time.
func (b *Bus) VerifyWindow(ctx context.Context, agent string, size uint64) (VerifyReport, error) {
	return b.verifyAgent(ctx, agent, size, &verifyProgress{})
}

// Suspects are the agents that a Rescuer would search after a survey.
func (r *Rescuer) Suspects(s Survey) []string { return r.suspects(s) }
