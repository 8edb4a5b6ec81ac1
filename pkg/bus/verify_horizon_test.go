package bus

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Whoever verifies may have another time of day than the broker.
func TestTheHorizonOfAVerificationIsByTheBrokersClock(t *testing.T) {
	for _, broker := range []time.Duration{0, -10 * time.Hour, 10 * time.Hour} {
		at := time.Now().Add(broker)
		info := &jetstream.StreamInfo{Created: at.Add(-100 * time.Hour), TimeStamp: at}
		info.Config.MaxAge = 24 * time.Hour
		if got, want := verifyHorizon(info), at.Add(-24*time.Hour+verifyMargin); !got.Equal(want) {
			t.Errorf("a broker %s ahead: got %s, want %s", broker, got, want)
		}
		info.Created = at.Add(-time.Hour)
		if got := verifyHorizon(info); !got.Equal(info.Created) {
			t.Errorf("a stream that is an hour old: got %s, want when it was made, %s", got, info.Created)
		}
	}
}
