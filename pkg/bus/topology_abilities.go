package bus

import (
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// abilityFields say what can be done to a stream. Each is a switch.
func abilityFields() []streamField {
	type config = jetstream.StreamConfig
	ability := func(name string, get func(*config) bool) streamField {
		return streamField{
			name: name,
			text: func(c *config) string { return fmt.Sprint(get(c)) },
		}
	}
	// extra is an ability that does no harm where nobody asked for it.
	extra := func(name string, get func(*config) bool) streamField {
		f := ability(name, get)
		f.tolerated = func(live, _ *config) bool { return get(live) }
		return f
	}
	// lasting is an ability that the server does not take back.
	lasting := func(name string, get func(*config) bool) streamField {
		f := ability(name, get)
		f.fixed = func(live, _ *config) bool { return get(live) }
		f.warning = func(_, want *config) string {
			if get(want) {
				return name + " cannot be switched off again"
			}
			return ""
		}
		return f
	}
	noAck := ability("no_ack", func(c *config) bool { return c.NoAck })
	noAck.danger = func(_, want *config) string {
		if want.NoAck {
			return "publishers would no longer learn whether a message was stored"
		}
		return ""
	}
	sealed := lasting("sealed", func(c *config) bool { return c.Sealed })
	counter := ability("allow_msg_counter", func(c *config) bool { return c.AllowMsgCounter })
	counter.fixed = alwaysTrue
	mirrorDirect := extra("mirror_direct", func(c *config) bool { return c.MirrorDirect })
	mirrorDirect.tolerated = alwaysTrue // the server's own business
	return []streamField{
		noAck,
		sealed,
		lasting("deny_delete", func(c *config) bool { return c.DenyDelete }),
		lasting("deny_purge", func(c *config) bool { return c.DenyPurge }),
		ability("allow_rollup_hdrs", func(c *config) bool { return c.AllowRollup }),
		extra("allow_direct", func(c *config) bool { return c.AllowDirect }),
		mirrorDirect,
		lasting("allow_msg_ttl", func(c *config) bool { return c.AllowMsgTTL }),
		counter,
		extra("allow_atomic", func(c *config) bool { return c.AllowAtomicPublish }),
		extra("allow_batched", func(c *config) bool { return c.AllowBatchPublish }),
		lasting("allow_msg_schedules", func(c *config) bool { return c.AllowMsgSchedules }),
		{
			name:  "persist_mode",
			text:  func(c *config) string { return c.PersistMode.String() },
			fixed: alwaysTrue,
		},
	}
}
