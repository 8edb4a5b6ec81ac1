package resilience_test

import (
	"slices"
	"testing"

	"genesis/pkg/resilience"
)

func TestJoinObserversTellsEachInOrder(t *testing.T) {
	var told []string
	observer := func(name string) resilience.Observer {
		return func(e resilience.Event) { told = append(told, name+" "+e.Name) }
	}
	if resilience.JoinObservers() != nil || resilience.JoinObservers(nil, nil) != nil {
		t.Errorf("nobody joined: got an observer, want nil")
	}
	resilience.JoinObservers(nil, observer("a"))(resilience.Event{Name: "1"})
	resilience.JoinObservers(observer("a"), nil, observer("b"))(resilience.Event{Name: "2"})
	if want := []string{"a 1", "a 2", "b 2"}; !slices.Equal(told, want) {
		t.Errorf("got %q, want %q", told, want)
	}
}
