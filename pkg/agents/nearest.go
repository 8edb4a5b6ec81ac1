package agents

// nearest returns the name closest to what was typed, or "" when none is so
// close that it was probably meant: one edit in a short name, up to three in a
// long one. names must be sorted.
func nearest(typed string, names []string) string {
	if len(typed) > 2*maxName { // bounds the work a caller can ask for
		return ""
	}
	best, bestEdits := "", 0
	for _, name := range names {
		edits := distance(typed, name)
		if edits > min(1+len(name)/5, 3) || edits >= len(name) {
			continue
		}
		if best == "" || edits < bestEdits {
			best, bestEdits = name, edits
		}
	}
	return best
}

// distance counts the bytes to insert, drop, change or swap with their neighbour
// to make b of a: the optimal string alignment distance, three rows at a time.
func distance(a, b string) int {
	before, previous, current := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		current[0] = i
		for j := 1; j <= len(b); j++ {
			change := previous[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			current[j] = min(change, previous[j]+1, current[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				current[j] = min(current[j], before[j-2]+1)
			}
		}
		before, previous, current = previous, current, before
	}
	return previous[len(b)]
}
