package bus

import (
	"context"
	"encoding/json"
)

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

// ReadsAlike reads an answer of the broker quickly and by encoding/json, and reports what
// each made of it; ok says that the quick way understood it.
func ReadsAlike(streams bool, text []byte) (quick, slow any, ok bool) {
	if streams {
		return readBoth(text, new(streamPage), new(streamPage))
	}
	return readBoth(text, new(consumerPage), new(consumerPage))
}

func readBoth[T interface{ scan(t *jsonText) }](text []byte, quick, slow T) (any, any, bool) {
	t := jsonText{left: text}
	quick.scan(&t)
	ok := !t.bad && t.next() == 0
	if json.Unmarshal(text, slow) != nil {
		return quick, nil, ok
	}
	return quick, slow, ok
}
