package bus

import "strings"

// subjectsCollide reports whether a subject could match both patterns.
func subjectsCollide(a, b string) bool {
	for {
		ta, restA, moreA := strings.Cut(a, ".")
		tb, restB, moreB := strings.Cut(b, ".")
		switch {
		case ta == ">" || tb == ">":
			return true
		case ta != tb && ta != "*" && tb != "*":
			return false
		case moreA != moreB:
			return false
		case !moreA:
			return true
		}
		a, b = restA, restB
	}
}

// subjectCovers reports whether a pattern matches all that another one does.
func subjectCovers(pattern, subject string) bool {
	for {
		tp, restP, moreP := strings.Cut(pattern, ".")
		ts, restS, moreS := strings.Cut(subject, ".")
		switch {
		case tp == ">":
			return true
		case ts == ">", tp != ts && tp != "*":
			return false
		case moreP != moreS:
			return false
		case !moreP:
			return true
		}
		pattern, subject = restP, restS
	}
}

// uncoveredSubjects are the subjects of which the patterns no longer match all.
func uncoveredSubjects(subjects, patterns []string) []string {
	var lost []string
next:
	for _, s := range subjects {
		for _, p := range patterns {
			if subjectCovers(p, s) {
				continue next
			}
		}
		lost = append(lost, s)
	}
	return lost
}
