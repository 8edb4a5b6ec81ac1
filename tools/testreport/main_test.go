package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	for _, tt := range []struct {
		name, in, tally string
		says            []string
		silent          []string
	}{
		{
			name: "counts top-level tests and keeps what passed quiet",
			in: `{"Action":"output","Package":"p","Test":"TestA","Output":"noise\n"}
{"Action":"pass","Package":"p","Test":"TestA/sub"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestB"}
{"Action":"pass","Package":"p","Elapsed":1.5}
{"Action":"pass","Package":"p","Test":"FuzzA"}
{"Action":"pass","Package":"p","Elapsed":5}
`,
			tally: "3 0\n", says: []string{"ok   p", "1.5s", " 2 passed", " 1 passed"}, silent: []string{"noise"},
		},
		{
			name: "shows what a failed test printed, its subtests too",
			in: `{"Action":"output","Package":"p","Test":"TestA/sub","Output":"=== RUN   TestA/sub\n"}
{"Action":"output","Package":"p","Test":"TestA/sub","Output":"got 1, want 2\n"}
{"Action":"fail","Package":"p","Test":"TestA/sub"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}
`,
			tally: "0 1\n", says: []string{"FAIL p TestA\ngot 1, want 2\n"},
		},
		{
			name: "counts a test that a panic took along as failed",
			in: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestSilent"}
{"Action":"output","Package":"p","Test":"TestA","Output":"panic: no\n"}
{"Action":"fail","Package":"p"}
`,
			tally: "0 2\n", says: []string{"UNFINISHED p TestA\npanic: no\n", "UNFINISHED p TestSilent\n"},
		},
		{
			name: "shows a build's errors and lines that are not JSON",
			in: `make: something
{"Action":"build-output","ImportPath":"p","Output":"a.go:1: syntax\n"}
{"Action":"fail","Package":"p"}
the end`,
			tally: "0 0\n", says: []string{"make: something\n", "a.go:1: syntax\n", "the end"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "tally")
			var out strings.Builder
			if err := run(strings.NewReader(tt.in), &out, file); err != nil {
				t.Fatalf("got %v, want no error\ninput: %s", err, tt.in)
			}
			for _, s := range tt.says {
				if !strings.Contains(out.String(), s) {
					t.Errorf("got %q, want it to contain %q\ninput: %s", out.String(), s, tt.in)
				}
			}
			for _, s := range tt.silent {
				if strings.Contains(out.String(), s) {
					t.Errorf("got %q, want it not to contain %q\ninput: %s", out.String(), s, tt.in)
				}
			}
			if got, err := os.ReadFile(file); err != nil || string(got) != tt.tally {
				t.Errorf("got tally %q, %v, want %q\ninput: %s", got, err, tt.tally, tt.in)
			}
		})
	}
}
