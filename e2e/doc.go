// Package e2e holds no code, only tests: the programs as they are built, in processes of
// their own, together with tools that nobody here wrote. Prometheus and Alertmanager
// scrape them with the configuration of deploy/, which promtool and amtool check, and
// Chromium looks at the monitor's page.
//
// It is a module of its own, so that what these tests need stays out of the product's
// dependencies. It wants the tools to be installed (see tools_test.go).
package e2e
