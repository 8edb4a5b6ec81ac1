// Package readme runs what the documents show: every command of a console block, in
// order, against a system that really runs, with its output compared line by line.
//
// In a block, "$ " begins a command and the lines below it are its output: "..."
// stands for anything within a line, and alone on a line for any lines. A yaml block
// is written to genesis.yaml.
package readme
