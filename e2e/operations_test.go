package e2e

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const operationsFile = "../docs/OPERATIONS.md"

func document(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(operationsFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A section is a heading of the document and what is below it, up to the next one.
type section struct{ heading, anchor, text string }

func sections(t *testing.T, level string) []section {
	t.Helper()
	var all []section
	for i, part := range strings.Split("\n"+document(t), "\n"+level+" ") {
		heading, text, _ := strings.Cut(part, "\n")
		if i > 0 {
			text, _, _ = strings.Cut(text, "\n## ")
			all = append(all, section{heading, anchor(heading), text})
		}
	}
	return all
}

// anchor is what a link to a heading says.
func anchor(heading string) string {
	return strings.ReplaceAll(regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(heading), ""), " ", "-")
}

func TestEveryAlertHasASectionThatSaysWhatToDo(t *testing.T) {
	written := map[string]section{}
	for _, s := range sections(t, "###") {
		written[s.heading] = s
	}
	known := map[string]bool{}
	for _, r := range alerts(t) {
		known[r.Alert] = true
		s, ok := written[r.Alert]
		if !ok {
			t.Errorf("%s has no section in docs/OPERATIONS.md", r.Alert)
			continue
		}
		for _, want := range []string{"**Means**", "**See**", "**Do**", r.Labels["severity"]} {
			if !strings.Contains(s.text, want) {
				t.Errorf("the section %s lacks %s", r.Alert, want)
			}
		}
		if commands(s.text) == nil {
			t.Errorf("the section %s has no command: say how to see it", r.Alert)
		}
		if got := r.Annotations["runbook_url"]; got != "docs/OPERATIONS.md#"+s.anchor {
			t.Errorf("%s: got the runbook %s, want #%s", r.Alert, got, s.anchor)
		}
	}
	for heading := range written {
		if !known[heading] {
			t.Errorf("the section %s is about no alert", heading)
		}
	}
}

func TestEveryLinkWithinTheDocumentLeadsSomewhere(t *testing.T) {
	there := map[string]bool{}
	for _, s := range append(sections(t, "##"), sections(t, "###")...) {
		there[s.anchor] = true
	}
	links := regexp.MustCompile(`\]\(#([^)]*)\)`).FindAllStringSubmatch(document(t), -1)
	for _, link := range links {
		if !there[link[1]] {
			t.Errorf("#%s leads nowhere", link[1])
		}
	}
	if len(links) == 0 {
		t.Error("got no links, want some: the pattern does not see them")
	}
}

// commands are the lines of the sh blocks of a text.
func commands(text string) []string {
	var all []string
	for i, block := range strings.Split(text, "```") {
		if body, ok := strings.CutPrefix(block, "sh\n"); ok && i%2 == 1 {
			all = append(all, strings.Split(strings.TrimSpace(body), "\n")...)
		}
	}
	return all
}

// A command that does not exist is worst at night. Each is asked for its help, which must
// know every flag that the document gives it.
func TestEveryCommandOfTheDocumentExists(t *testing.T) {
	inline := regexp.MustCompile("`(genesis [a-z][^`]*)`")
	lines := commands(document(t))
	for _, m := range inline.FindAllStringSubmatch(document(t), -1) {
		lines = append(lines, m[1])
	}
	for _, line := range slices.Compact(slices.Sorted(slices.Values(lines))) {
		words := strings.Fields(line)
		if words[0] != "genesis" {
			if words[0] != "curl" {
				t.Errorf("got the command %q, want one of genesis or curl in an sh block", line)
			}
			continue
		}
		var path, flags []string
		for _, word := range words[1:] {
			switch {
			case strings.HasPrefix(word, "--"):
				flags = append(flags, word)
			case flags == nil && regexp.MustCompile(`^[a-z]+$`).MatchString(word) && len(path) < 2:
				path = append(path, word)
			}
		}
		help, _ := run(t, "genesis", append(slices.Clone(path), "--help")...)
		usage := regexp.MustCompile(`(?m)^Usage:\n  genesis ` + regexp.QuoteMeta(path[0]))
		if !usage.MatchString(help) || strings.Contains(help, "[command] --help") && len(path) > 1 {
			t.Errorf("%s: there is no such command; its help says\n%s", line, help)
			continue
		}
		for _, flag := range flags {
			if !regexp.MustCompile(`(?m)(^|\s)` + regexp.QuoteMeta(flag) + `\b`).MatchString(help) {
				t.Errorf("%s: it has no flag %s", line, flag)
			}
		}
	}
}
