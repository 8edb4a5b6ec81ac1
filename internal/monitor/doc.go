// Package monitor is the program that knows how the system is, and says so: as health
// events on the bus, over HTTP, to Prometheus, on a page, and to a webhook.
//
// Any number of monitors may run. Each looks at everything once a round (survey.go),
// judges what it sees (package health), keeps a history and serves it. One of them, which
// holds a lease, acts (lead.go): it publishes the changes of state, verifies the ledger
// on a schedule, and buries requests that were left behind by whatever. The state of a
// component is its last event on the bus, which every monitor follows, so that the next
// leader begins where the last one ended.
//
// A monitor serves also while the broker is away, says since when, and goes on by itself.
// It changes nothing but what is said above.
package monitor
