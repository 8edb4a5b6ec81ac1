package bus

// ForgetPulls makes the pool believe that its pulls have ended while the broker still
// holds them, as after a connection that was made anew.
func (p *Pool) ForgetPulls() {
	for _, puller := range p.pullers {
		puller.finish(pullEnd{})
	}
}
