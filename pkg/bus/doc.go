// Package bus is the only code of Genesis that knows JetStream: it names the
// subjects, publishes requests, fetches them into slots, settles them, and keeps
// results, dead letters and the attempt ledger.
//
// A request accepted here (its PubAck came back) ends as exactly one result or
// one dead letter. Everything that makes this true is in this package: the
// request stays in its work queue until its outcome is stored, the outcome is
// written first-writer-wins, and [Bus.Verify] proves it from the streams alone.
//
// The package does not know what an agent is, nor HTTP, nor configuration
// files: a [Handler] turns a [Job] into an [Answer] or an error, and the error's
// verdict (see package resilience) steers the queue. A handler cannot
// acknowledge anything itself.
package bus
