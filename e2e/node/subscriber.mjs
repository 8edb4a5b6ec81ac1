// node subscriber.mjs URL: prints the last health event of each component, then each new one.
// node subscriber.mjs URL SUBJECT: prints the last one of a subject, as one who comes late reads it.
// Each line is a CloudEvent that the CloudEvents SDK has read and found valid.
import { connect } from "@nats-io/transport-node";
import { DeliverPolicy, jetstream } from "@nats-io/jetstream";
import { HTTP } from "cloudevents";

const [url, subject] = process.argv.slice(2);
const stream = "GENESIS_HEALTH";

function print(headers, text, subject) {
  const event = HTTP.toEvent({ headers: { "content-type": headers.get("Content-Type") }, body: text });
  event.validate();
  console.log(JSON.stringify({ on: subject, ...event.toJSON() }));
}

const nc = await connect({ servers: url });
const js = jetstream(nc);
if (subject) {
  const jsm = await js.jetstreamManager();
  const msg = await jsm.streams.getMessage(stream, { last_by_subj: subject });
  print(msg.header, msg.string(), msg.subject);
} else {
  const consumer = await js.consumers.get(stream, { deliver_policy: DeliverPolicy.LastPerSubject, filter_subjects: "genesis.health.>" });
  const messages = await consumer.consume();
  process.once("SIGTERM", () => messages.stop());
  console.log("listening");
  for await (const msg of messages) {
    print(msg.headers, msg.string(), msg.subject);
  }
}
await nc.drain();
