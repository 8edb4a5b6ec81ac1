// Package gateway is the HTTP front door: it lets clients in, checks what they send,
// hands requests to the bus, and brings the results back.
//
// A request is accepted (202, or 200 with its result) only when the broker has
// confirmed it. The gateway keeps no record of its own: whether an id is pending or
// answered is read from the bus, so any replica can answer any call, and one that
// dies takes nothing with it. It does not repeat anything on its own either; a 503
// says that the client may, and under which id that is safe.
//
// Waiting for a result ([bus.Replies]) costs the goroutine of the connection and an
// entry in a map: one subscription serves all who wait. A client that goes away ends
// its wait, never its request.
//
// The package does not execute requests, and it does not know what an agent does.
// RemoteAddr is the client's address: headers such as X-Forwarded-For are not trusted,
// so behind a proxy clients are told apart by their keys.
package gateway
