package bus_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

func TestAnAnswerOfTheBrokerIsReadQuicklyAndRight(t *testing.T) {
	b := connect(t, bustest.Start(t), "a")
	if err := b.EnsureConsumers(t.Context(), "a", time.Minute); err != nil {
		t.Fatal(err)
	}
	publish(t, b, bus.Envelope{Agent: "a"})
	for subject, streams := range map[string]bool{"$JS.API.STREAM.LIST": true, "$JS.API.CONSUMER.LIST." + bus.RequestStream("a"): false} {
		resp, err := b.Conn().Request(subject, nil, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		var indented bytes.Buffer
		if err := json.Indent(&indented, resp.Data, " ", "\t"); err != nil {
			t.Fatal(err)
		}
		for _, text := range [][]byte{resp.Data, indented.Bytes()} {
			if quick, slow, ok := bus.ReadsAlike(streams, text); !ok || !reflect.DeepEqual(quick, slow) {
				t.Errorf("%s: got %+v (understood: %v), want %+v, of %s", subject, quick, ok, slow, text)
			}
		}
	}
}

func TestAnAnswerIsReadAsEncodingJSONDoesOrNotAtAll(t *testing.T) {
	cluster := &jetstream.ClusterInfo{Name: "C", Leader: "n1", Replicas: []*jetstream.PeerInfo{{Name: "n2", Current: true, Active: time.Second, Lag: 7}}}
	for _, tt := range []struct {
		name    string
		streams bool
		in      any
		quick   bool
	}{
		{"a stream of a cluster", true, map[string]any{"total": 1, "streams": []any{jetstream.StreamInfo{Cluster: cluster, Config: jetstream.StreamConfig{
			Name: "S", Description: `with "quotes", {braces} and \ more`, Metadata: map[string]string{"k": "]}"}, MaxMsgs: -1,
		}}}}, true},
		{"a name with an escape", true, json.RawMessage(`{"streams":[{"config":{"name":"a\u0062"}}]}`), false},
		{"a key with an escape", true, json.RawMessage(`{"tot\u0061l":1}`), false},
		{"an escaped quote at a string's end", true, json.RawMessage(`{"x":"\\\"","total":1}`), true},
		{"names that are missing", true, json.RawMessage(`{"streams":null,"missing":["S","T"],"offline":{"S":"why"},"total":2,"limit":256}`), true},
		{"an error", false, json.RawMessage(`{"error":{"code":404,"err_code":10059,"description":"stream not found"},"consumers":null}`), true},
		{"nulls", false, json.RawMessage(`{"consumers":[{"name":null,"delivered":null,"num_pending":null,"paused":null}, {"paused":true}]}`), true},
		{"nothing", false, json.RawMessage(`{}`), true},
		{"a number that is none of ours", false, json.RawMessage(`{"consumers":[{"num_pending":1e3}]}`), false},
		{"a list", false, json.RawMessage(`[]`), false},
		{"half an answer", false, json.RawMessage(`{"consumers":[{"name":"a"`), false},
		{"two answers", false, json.RawMessage(`{} {}`), false},
		{"no comma", false, json.RawMessage(`{"a":1 "b":2}`), false},
		{"an empty text", false, json.RawMessage(``), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text, isRaw := tt.in.(json.RawMessage)
			if !isRaw {
				var err error
				if text, err = json.Marshal(tt.in); err != nil {
					t.Fatal(err)
				}
			}
			quick, slow, ok := bus.ReadsAlike(tt.streams, text)
			if ok != tt.quick || ok && !reflect.DeepEqual(quick, slow) {
				t.Errorf("read: got %+v (understood: %v), want %+v (%v), of %s", quick, ok, slow, tt.quick, text)
			}
		})
	}
}

func FuzzAnAnswerOfAnySortIsReadToItsEnd(f *testing.F) {
	f.Add([]byte(`{"streams":[{"config":{"name":"S"},"state":{"messages":1,"first_ts":"2026-01-02T15:04:05Z"}}]}`))
	f.Add([]byte(`{"consumers":[{"name":"c","ack_floor":{"stream_seq":3}}],"error":{"code":1}}`))
	f.Add([]byte(`{"a":"\`))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, streams := range []bool{true, false} {
			bus.ReadsAlike(streams, text)
		}
	})
}
