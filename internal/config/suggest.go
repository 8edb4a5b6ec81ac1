package config

import "strings"

// didYouMean returns the end of a message about an unknown name: the nearest
// known one, else all that are known, else nothing.
func didYouMean(name string, known []string) string {
	if near := nearest(name, known); near != "" {
		return `; did you mean "` + near + `"?`
	}
	if len(known) == 0 {
		return ""
	}
	const shown = 20
	if len(known) > shown {
		return "; known are " + strings.Join(known[:shown], ", ") + ", ..."
	}
	return "; known: " + strings.Join(known, ", ")
}

// nearest returns the known name that name is most likely a slip for: the same
// letters in another style (maxBody, max-body), the beginning of only one, or
// up to one wrong letter in three. It is empty when none is near.
func nearest(name string, known []string) string {
	if len(name) > maxQuoted {
		return ""
	}
	plain := plainName(name)
	best, least := "", len(plain)/3+1
	begun, beginning := "", 0
	for _, k := range known {
		candidate := plainName(k)
		if d := distance(plain, candidate); d < least {
			best, least = k, d
		}
		if len(plain) >= 3 && strings.HasPrefix(candidate, plain) {
			begun, beginning = k, beginning+1
		}
	}
	if best == "" && beginning == 1 {
		return begun
	}
	return best
}

func plainName(s string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(s))
}

// distance counts the letters to insert, remove, replace or swap with their
// neighbour to turn a into b (optimal string alignment).
func distance(a, b string) int {
	var before []int
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
