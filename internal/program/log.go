package program

import (
	"fmt"
	"io"
	"log/slog"
	"os"
)

// Logger writes to w: text when w is a terminal, JSON lines otherwise. The variable
// GENESIS_LOG_LEVEL is debug, info (the default), warn or error; anything else is
// an [ErrUsage]. env is as in config.Load.
func Logger(w io.Writer, env func(string) (string, bool)) (*slog.Logger, error) {
	var o slog.HandlerOptions
	if env != nil {
		if text, _ := env("GENESIS_LOG_LEVEL"); text != "" {
			var level slog.Level
			if err := level.UnmarshalText([]byte(text)); err != nil {
				return nil, Usage(fmt.Errorf("GENESIS_LOG_LEVEL is %q: use debug, info, warn or error", text))
			}
			o.Level = level
		}
	}
	if terminal(w) {
		return slog.New(slog.NewTextHandler(w, &o)), nil
	}
	return slog.New(slog.NewJSONHandler(w, &o)), nil
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
