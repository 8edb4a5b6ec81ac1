// node validate.mjs FILE: says what is wrong with an AsyncAPI document; fails unless nothing is.
import { readFile } from "node:fs/promises";
import { Parser } from "@asyncapi/parser";

const [file] = process.argv.slice(2);
const { document, diagnostics } = await new Parser().parse(await readFile(file, "utf8"), { source: file });
const [error, warning] = [0, 1];
for (const d of diagnostics) {
  console.log(`${["error", "warning", "info", "hint"][d.severity]}: line ${d.range.start.line + 1}: ${d.path.join(".")}: ${d.message}`);
}
if (!document || diagnostics.some((d) => d.severity === error || d.severity === warning)) {
  process.exit(1);
}
console.log(`AsyncAPI ${document.version()}: ${document.channels().length} channels, ${document.operations().length} operations, ${document.messages().length} messages`);
