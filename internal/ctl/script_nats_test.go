package ctl

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rogpeppe/go-internal/testscript"
)

// scriptRun is a context for what runs until the script ends.
func scriptRun(ts *testscript.TestScript) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	ts.Defer(cancel)
	return ctx
}

// scriptStep is a context for one command of a script.
func scriptStep(ts *testscript.TestScript) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), scriptLimit)
	ts.Defer(cancel)
	return ctx
}

func scriptJetStream(ts *testscript.TestScript) (*nats.Conn, jetstream.JetStream) {
	nc, err := nats.Connect(ts.Getenv("GENESIS_NATS_URL"))
	ts.Check(err)
	js, err := jetstream.New(nc)
	ts.Check(err)
	return nc, js
}

// natspub SUBJECT PAYLOAD publishes as `nats pub` does.
func scriptPublish(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: natspub SUBJECT PAYLOAD")
	}
	nc, _ := scriptJetStream(ts)
	defer nc.Close()
	ts.Check(nc.Publish(args[0], []byte(args[1])))
	ts.Check(nc.Flush())
}

// post PATH BODY posts JSON to the gateway, waits for the result, and prints the answer.
func scriptPost(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: post PATH BODY")
	}
	req, err := http.NewRequestWithContext(scriptStep(ts), http.MethodPost, ts.Getenv("GATEWAY")+args[0], strings.NewReader(args[1]))
	ts.Check(err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Prefer", "wait=10")
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	_, err = ts.Stdout().Write(append(body, '\n'))
	ts.Check(err)
	if resp.StatusCode != http.StatusOK {
		ts.Fatalf("got %s: %s", resp.Status, body)
	}
}

// rmmsg STREAM SEQUENCE removes a message behind everybody's back.
func scriptRemoveMessage(ts *testscript.TestScript, _ bool, args []string) {
	nc, js := scriptJetStream(ts)
	defer nc.Close()
	ctx := scriptStep(ts)
	s, err := js.Stream(ctx, args[0])
	ts.Check(err)
	sequence, err := strconv.ParseUint(args[1], 10, 64)
	ts.Check(err)
	ts.Check(s.DeleteMsg(ctx, sequence))
}

// lastmsg STREAM prints the last message of a stream.
func scriptLastMessage(ts *testscript.TestScript, _ bool, args []string) {
	nc, js := scriptJetStream(ts)
	defer nc.Close()
	ctx := scriptStep(ts)
	s, err := js.Stream(ctx, args[0])
	ts.Check(err)
	info, err := s.Info(ctx)
	ts.Check(err)
	msg, err := s.GetMsg(ctx, info.State.LastSeq)
	ts.Check(err)
	_, err = io.WriteString(ts.Stdout(), msg.Subject+" "+string(msg.Data)+"\n")
	ts.Check(err)
}

// stream JSON changes settings of a stream, as an operator with the nats tool would.
func scriptStream(ts *testscript.TestScript, _ bool, args []string) {
	nc, js := scriptJetStream(ts)
	defer nc.Close()
	ctx := scriptStep(ts)
	s, err := js.Stream(ctx, args[0])
	ts.Check(err)
	cfg := s.CachedInfo().Config
	ts.Check(json.Unmarshal([]byte(args[1]), &cfg))
	_, err = js.UpdateStream(ctx, cfg)
	ts.Check(err)
}

// occupy VAR listens on a port until the script ends, and sets VAR to the address.
func scriptOccupy(ts *testscript.TestScript, _ bool, args []string) {
	l, err := new(net.ListenConfig).Listen(scriptStep(ts), "tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() })
	ts.Setenv(args[0], l.Addr().String())
}
