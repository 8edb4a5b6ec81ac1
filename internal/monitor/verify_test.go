package monitor

import (
	"testing"
	"time"

	"genesis/internal/config"
	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

func TestARequestThatVanishedIsFoundAndTold(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	cfg := testConfig(func(c *config.Config) { c.Monitor.VerifyInterval = config.Duration(200 * time.Millisecond) })
	b := connect(t, server, cfg)
	work(t, server, "w1", idle(), "echo", "probe", "assistant")
	for range 3 {
		if _, err := b.Publish(t.Context(), bus.Envelope{Agent: "echo", Lane: bus.LaneBatch, Request: bus.Request{Prompt: "hi"}}); err != nil {
			t.Fatal(err)
		}
	}
	stream, err := b.JetStream().Stream(t.Context(), bus.RequestStream("echo"))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.DeleteMsg(t.Context(), 2); err != nil { // nobody answered it
		t.Fatal(err)
	}

	m := start(t, server.URL(), cfg)

	ledger := bus.Component{Kind: bus.KindSystem, Name: "ledger"}
	awaitEvents(t, b, ledger, "unhealthy<-healthy")
	for e, err := range b.HealthEvents(t.Context(), bus.HealthFilter{Kind: bus.KindSystem}) {
		if err != nil || len(e.Data.AffectedServices) != 1 || e.Data.AffectedServices[0] != "echo" {
			t.Errorf("the event: got %+v (%v), want echo to be affected", e.Data, err)
		}
	}
	var metrics string
	get(t, m.URL()+"/metrics", nil, &metrics)
	for _, want := range []string{`genesis_verify_missing{agent="echo"} 1`, "genesis_verify_failed 1", `genesis_health_state{kind="system",name="ledger"} 2`} {
		if !containsLine(metrics, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
}

func TestWhatNoConsumerDeliversBecomesADeadLetter(t *testing.T) {
	t.Parallel()
	server, cfg := bustest.Start(t), testConfig()
	b := connect(t, server, cfg)
	// Somebody limits the deliveries by hand, and one is used up. A monitor puts the
	// consumer right when it starts, which brings the request back to nobody.
	js := b.JetStream()
	c, err := js.Consumer(t.Context(), bus.RequestStream("echo"), string(bus.LaneInteractive))
	if err != nil {
		t.Fatal(err)
	}
	limited := c.CachedInfo().Config
	limited.MaxDeliver, limited.AckWait = 1, 100*time.Millisecond
	if c, err = js.UpdateConsumer(t.Context(), bus.RequestStream("echo"), limited); err != nil {
		t.Fatal(err)
	}
	receipt, err := b.Publish(t.Context(), bus.Envelope{Agent: "echo", ID: "stranded", Lane: bus.LaneInteractive, Request: bus.Request{Prompt: "hi"}})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := c.Fetch(1)
	if err != nil {
		t.Fatal(err)
	}
	for range batch.Messages() { // taken, and never heard of again
		continue
	}
	await(t, "the consumer has forgotten it", func() bool {
		info, err := c.Info(t.Context())
		return err == nil && info.NumAckPending == 0 && info.NumPending == 0
	})

	m := start(t, server.URL(), cfg)

	await(t, "it is a dead letter", func() bool {
		letter, err := b.DeadLetter(t.Context(), "echo", receipt.ID)
		return err == nil && letter.Reason == bus.DeadExhausted
	})
	await(t, "nothing is missing", func() bool {
		reports, err := b.Verify(t.Context(), bus.VerifyOptions{Agents: []string{"echo"}})
		return err == nil && len(reports) == 1 && reports[0].MissingCount == 0 && reports[0].Pending == 0 && reports[0].DeadLetters == 1
	})
	if result, err := b.Result(t.Context(), "echo", receipt.ID); err != nil || result.Success {
		t.Errorf("its result: got %+v (%v), want a failure", result.Result, err)
	}
	await(t, "it is counted", func() bool {
		var metrics string
		get(t, m.URL()+"/metrics", nil, &metrics)
		return containsLine(metrics, `genesis_rescued_total{agent="echo"} 1`)
	})
}
