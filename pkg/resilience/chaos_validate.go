package resilience

// Validate returns everything wrong with a scenario, as [Chaos.Add] would: for those who
// take one from an operator and hand it on.
func (s Scenario) Validate() error { return s.withDefaults().check() }
