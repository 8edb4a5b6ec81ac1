package console

import (
	"reflect"
	"slices"
	"testing"
	"time"
)

func TestWhatNeedsAnOperatorComesFirst(t *testing.T) {
	at := now()
	s := newSheet(View{
		Agents: []Agent{
			{Name: "b", State: Healthy},
			{Name: "a", State: Healthy},
			{Name: "z", State: Degraded},
			{Name: "y", State: "?"},
			{Name: "x", State: Unhealthy},
		},
		Breakers:    []Breaker{{Provider: "a", Closed: 1}, {Provider: "b", HalfOpen: 1}, {Provider: "c", Closed: 3, Isolated: true}, {Provider: "d", Open: 2, Closed: 1}},
		Workers:     []Worker{{Name: "a"}, {Name: "b", Draining: true}, {Name: "c", Lost: at}},
		Streams:     []Stream{{Name: "a", Full: 0.1}, {Name: "b", Full: 0.9}, {Name: "c", Offline: []string{"n"}}, {Name: "d", State: Unhealthy}},
		DeadLetters: []DeadLetters{{Fingerprint: "old", Last: at.Add(-time.Hour)}, {Fingerprint: "new", Last: at}},
		Events:      []Event{{Component: "old", Time: at.Add(-time.Hour)}, {Component: "new", Time: at}},
	}, at)
	var got []string
	for _, a := range s.Rows {
		got = append(got, a.Name)
	}
	for _, b := range s.Breakers {
		got = append(got, b.Provider+" "+b.Label())
	}
	for _, w := range s.Workers {
		got = append(got, w.Name+" "+w.Label())
	}
	for _, t := range s.Streams {
		got = append(got, t.Name)
	}
	got = append(got, s.DeadLetters[0].Fingerprint, s.Events[0].Component)
	want := []string{
		"x", "z", "y", "a", "b",
		"c Isolated", "d Open", "b Half-open", "a Closed",
		"c Lost", "b Draining", "a Serving",
		"d", "c", "b", "a",
		"new", "new",
	}
	if !slices.Equal(got, want) {
		t.Errorf("order:\n got %q\nwant %q", got, want)
	}
}

func TestAViewIsNotChangedByShowingIt(t *testing.T) {
	at := now()
	v, same := fill(busy(), "a\x00b"), fill(busy(), "a\x00b")
	newSheet(v, at)
	for i := range v.Events { // busy asks for the time itself
		same.Events[i].Time = v.Events[i].Time
	}
	if !reflect.DeepEqual(texts(v), texts(same)) {
		t.Errorf("after showing it:\n got %q\nwant %q", texts(v), texts(same))
	}
}

// texts are all texts of a View, in order.
func texts(v View) []string {
	var found []string
	var from func(reflect.Value)
	from = func(r reflect.Value) {
		switch r.Kind() {
		case reflect.String:
			found = append(found, r.String())
		case reflect.Struct:
			for _, field := range r.Fields() {
				from(field)
			}
		case reflect.Slice:
			for i := range r.Len() {
				from(r.Index(i))
			}
		default:
		}
	}
	from(reflect.ValueOf(v))
	return found
}

func TestALineIsDrawnToScale(t *testing.T) {
	for _, c := range []struct {
		history []uint64
		want    string
	}{
		{[]uint64{0, 10, 5}, "M0 22L50 2L100 12"},
		{[]uint64{0, 0}, "M0 22L100 22"},
		{[]uint64{3, 3}, "M0 2L100 2"},
	} {
		if got := draw(c.history); got.Line != c.want {
			t.Errorf("draw(%v) = %q, want %q", c.history, got.Line, c.want)
		}
	}
	if got := draw([]uint64{1}); got != nil {
		t.Errorf("draw of one round = %+v, want nothing: it is no line", got)
	}
	long := make([]uint64, 250)
	long[249] = 7
	c := draw(long)
	if len(c.Rows) != 10 || c.Rows[0].Head != "99 to 90" || c.Rows[9].Head != "9 to 0" || c.Rows[9].Values[9] != 7 {
		t.Errorf("the table of 250 rounds is %+v, want the last 100, ten a row", c.Rows)
	}
}
