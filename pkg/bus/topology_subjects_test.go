package bus

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestSubjectsCollideAndCover(t *testing.T) {
	for _, tt := range []struct {
		a, b               string
		collide            bool
		aCoversB, bCoversA bool
	}{
		{"a", "a", true, true, true},
		{"a", "b", false, false, false},
		{"a", "a.b", false, false, false},
		{"a.*", "a.b", true, true, false},
		{"a.*", "a.>", true, false, true},
		{"a.*", "a", false, false, false},
		{"a.>", "a", false, false, false},
		{"a.>", "a.b.c", true, true, false},
		{">", "a.*", true, true, false},
		{"*.b", "a.*", true, false, false},
		{"*.b", "a.c", false, false, false},
		{"a.*.c", "a.b.>", true, false, false},
		{"genesis.requests.a", "genesis.requests.a.batch.*", false, false, false},
		{"genesis.requests.a.*.x", "genesis.requests.a.batch.*", true, false, false},
	} {
		if got := subjectsCollide(tt.a, tt.b); got != tt.collide {
			t.Errorf("subjectsCollide(%s, %s): got %v, want %v", tt.a, tt.b, got, tt.collide)
		}
		if got := subjectsCollide(tt.b, tt.a); got != tt.collide {
			t.Errorf("subjectsCollide(%s, %s): got %v, want %v", tt.b, tt.a, got, tt.collide)
		}
		if got := subjectCovers(tt.a, tt.b); got != tt.aCoversB {
			t.Errorf("subjectCovers(%s, %s): got %v, want %v", tt.a, tt.b, got, tt.aCoversB)
		}
		if got := subjectCovers(tt.b, tt.a); got != tt.bCoversA {
			t.Errorf("subjectCovers(%s, %s): got %v, want %v", tt.b, tt.a, got, tt.bCoversA)
		}
	}
	got := uncoveredSubjects([]string{"a.b", "c", "d.*"}, []string{"a.*", "d.e"})
	if want := []string{"c", "d.*"}; !slices.Equal(got, want) {
		t.Errorf("uncoveredSubjects: got %q, want %q", got, want)
	}
}

func TestErrorsAboutManyStreamsStayReadable(t *testing.T) {
	var ce ConflictError
	var de DangerError
	for i := range 1000 {
		name := fmt.Sprintf("S%04d", i)
		ce.Conflicts = append(ce.Conflicts, Conflict{Stream: name, Field: "storage", Found: "Memory", Want: "File", Fixed: true})
		de.Changes = append(de.Changes, Change{Stream: name, Danger: "reason"})
	}
	for _, err := range []error{&ce, &de} {
		text := err.Error()
		if !strings.Contains(text, "S0009") || strings.Contains(text, "S0010") || !strings.Contains(text, "and 990 more") {
			t.Errorf("got %q, want the first ten and how many more", text)
		}
	}
}
