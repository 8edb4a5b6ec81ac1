// Package asyncapi holds no code, only tests: docs/asyncapi.yaml says what the programs
// do. Messages of a system that really runs are held against its schemas, and its
// channels against the streams, the commands that are served and the buckets.
package asyncapi
