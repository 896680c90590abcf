package sandbox

import (
	"context"
	"log/slog"
	"strings"
)

// maxLogged is how many bytes of a text go into the log: merchants write order
// numbers, and strangers whatever they like.
const maxLogged = 200

// bounded is a log of which no text is long.
type bounded struct{ slog.Handler }

func (b bounded) Handle(ctx context.Context, r slog.Record) error {
	short := slog.NewRecord(r.Time, r.Level, shortened(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		short.AddAttrs(shortenedAttr(a))
		return true
	})
	return b.Handler.Handle(ctx, short)
}

func (b bounded) WithAttrs(attrs []slog.Attr) slog.Handler {
	return bounded{b.Handler.WithAttrs(attrs)}
}
func (b bounded) WithGroup(name string) slog.Handler { return bounded{b.Handler.WithGroup(name)} }

func shortenedAttr(a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindString:
		return slog.String(a.Key, shortened(a.Value.String()))
	case slog.KindAny:
		if err, ok := a.Value.Any().(error); ok && len(err.Error()) > maxLogged {
			return slog.String(a.Key, shortened(err.Error()))
		}
	}
	return a
}

func shortened(s string) string {
	if len(s) <= maxLogged {
		return s
	}
	return strings.ToValidUTF8(s[:maxLogged], "") + "…"
}
