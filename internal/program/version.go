package program

import (
	"runtime/debug"
	"strings"
)

// Version is the version of this build, such as 1.2.3, and "dev" for one that was
// not made from a tagged or committed tree.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "dev"
	}
	return readVersion(info)
}

func readVersion(info *debug.BuildInfo) string {
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return strings.TrimPrefix(v, "v")
	}
	return "dev"
}
