package bus

import (
	"maps"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// serverMetadata starts the keys that the server writes itself.
const serverMetadata = "_nats."

// defaultDuplicates is the server's duplicate window when none is given.
const defaultDuplicates = 2 * time.Minute

// normalizedStream fills in what the server would, so that two configurations which
// mean the same are the same. It does not change c.
func normalizedStream(c jetstream.StreamConfig) jetstream.StreamConfig {
	if len(c.Subjects) == 0 && c.Mirror == nil && len(c.Sources) == 0 {
		c.Subjects = []string{c.Name}
	}
	for _, limit := range []*int64{&c.MaxMsgs, &c.MaxBytes, &c.MaxMsgsPerSubject} {
		if *limit <= 0 {
			*limit = -1
		}
	}
	if c.MaxMsgSize <= 0 {
		c.MaxMsgSize = -1
	}
	if c.MaxConsumers <= 0 {
		c.MaxConsumers = -1
	}
	c.Replicas = max(c.Replicas, 1)
	if c.Duplicates == 0 && c.Mirror == nil && len(c.Sources) == 0 {
		c.Duplicates = defaultDuplicates
		if c.MaxAge > 0 {
			c.Duplicates = min(c.Duplicates, c.MaxAge)
		}
	}
	if c.SubjectDeleteMarkerTTL > 0 {
		c.AllowMsgTTL = true
	}
	if c.SubjectDeleteMarkerTTL > 0 || c.AllowMsgSchedules {
		if !c.AllowRollup {
			c.AllowRollup, c.DenyPurge = true, false
		}
	}
	if p := c.Placement; p != nil && p.Cluster == "" && len(p.Tags) == 0 {
		c.Placement = nil
	}
	if r := c.RePublish; r != nil && r.Source == "" {
		c.RePublish = &jetstream.RePublish{Source: ">", Destination: r.Destination, HeadersOnly: r.HeadersOnly}
	}
	c.Metadata = maps.Clone(c.Metadata)
	maps.DeleteFunc(c.Metadata, func(key, _ string) bool { return strings.HasPrefix(key, serverMetadata) })
	return c
}

// adoptOpen fills what want leaves open from the live stream, where it is the
// operator's choice. Both are normalized.
func adoptOpen(live *jetstream.StreamConfig, want jetstream.StreamConfig) jetstream.StreamConfig {
	if want.MaxMsgs == -1 {
		want.MaxMsgs = live.MaxMsgs
	}
	if want.MaxBytes == -1 {
		want.MaxBytes = live.MaxBytes
	}
	if want.Placement == nil {
		want.Placement = live.Placement
	}
	if want.RePublish == nil {
		want.RePublish = live.RePublish
	}
	if want.Description == "" {
		want.Description = live.Description
	}
	if want.Compression == jetstream.NoCompression {
		want.Compression = live.Compression
	}
	if want.FirstSeq == 0 {
		want.FirstSeq = live.FirstSeq
	}
	metadata := maps.Clone(live.Metadata)
	if metadata == nil {
		metadata = make(map[string]string)
	}
	maps.Copy(metadata, want.Metadata)
	want.Metadata = metadata
	return want
}
