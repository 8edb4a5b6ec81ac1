// Package arch holds no code, only tests: the rules of the house, so that a
// change which breaks one fails with the reason the rule exists.
//
// The rules read the source of every Go file of the module, whatever its build
// tags, and the graph of linked packages. They speak of directories, not of
// packages that happen to exist, so a rule holds for a package from its first
// file on. Each rule carries sources that break it and sources that keep it,
// and is tested against both.
//
// What a linter can tell from one line (reading the environment, printing,
// global variables) is in .golangci.yml instead.
package arch
