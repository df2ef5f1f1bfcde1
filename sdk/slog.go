// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"log/slog"
	"slices"

	"go.opentelemetry.io/otel/trace"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// logIDs are the attributes that a [NewSlogHandler] adds: where in the pipeline, under the names that spans have them
// by, and where in the trace, under the names that OpenTelemetry gives them in log formats.
var logIDs = [...]string{
	semconv.RunIDKey, semconv.StageNameKey, semconv.StageAttemptKey, semconv.CorrelationIDKey, "trace_id", "span_id",
}

// NewSlogHandler adds to every record where it was logged, from its context: stageflow.run.id, stageflow.stage.name,
// stageflow.stage.attempt, stageflow.correlation.id, trace_id and span_id. Log with the methods that take a context,
// such as [slog.InfoContext]. The ids stay outside of the logger's groups, and an attribute of the caller's that has
// such a name there wins.
//
// Do not wrap the handler that slog has before [slog.SetDefault]: it writes to the log package, which SetDefault makes
// write to slog.
func NewSlogHandler(next slog.Handler) slog.Handler {
	if next == nil {
		next = slog.DiscardHandler
	}
	return &slogHandler{top: next, whole: next}
}

type slogHandler struct {
	top    slog.Handler // what the logger was given before its first group
	whole  slog.Handler // all that the logger was given
	groups []slogGroup  // what whole has and top has not, outermost first
	given  idSet        // ids that the logger was given outside of groups
}

type slogGroup struct {
	name  string
	attrs []slog.Attr
}

// idSet has a bit for each of logIDs.
type idSet uint8

func (h *slogHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.top.Enabled(ctx, level)
}

func (h *slogHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	c := *h
	c.whole = h.whole.WithAttrs(attrs)
	if len(h.groups) == 0 {
		c.top = c.whole
		for _, a := range attrs {
			c.given |= idsIn(a)
		}
		return &c
	}
	c.groups = slices.Clone(h.groups)
	last := &c.groups[len(c.groups)-1]
	last.attrs = slices.Concat(last.attrs, attrs)
	return &c
}

func (h *slogHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	c := *h
	c.whole = h.whole.WithGroup(name)
	c.groups = append(slices.Clip(h.groups), slogGroup{name: name})
	return &c
}

func (h *slogHandler) Handle(ctx context.Context, r slog.Record) error {
	given := h.given
	if len(h.groups) == 0 {
		r.Attrs(func(a slog.Attr) bool {
			given |= idsIn(a)
			return true
		})
	}
	var room [len(logIDs)]slog.Attr
	added := logAttrs(ctx, given, room[:0])
	switch {
	case len(added) == 0:
		return h.whole.Handle(ctx, r)
	case len(h.groups) == 0:
		r = r.Clone()
		r.AddAttrs(added...)
	default:
		r = h.nested(r)
		r.AddAttrs(added...)
	}
	return h.top.Handle(ctx, r)
}

// nested is the record with the open groups written out as attributes, so that there is room beside them.
func (h *slogHandler) nested(r slog.Record) slog.Record {
	out := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	inner := make([]slog.Attr, 0, r.NumAttrs())
	r.Attrs(func(a slog.Attr) bool {
		inner = append(inner, a)
		return true
	})
	for _, g := range slices.Backward(h.groups) {
		inner = slices.Concat(g.attrs, inner)
		if len(inner) > 0 { // a group of nothing is not written
			inner = []slog.Attr{{Key: g.name, Value: slog.GroupValue(inner...)}}
		}
	}
	out.AddAttrs(inner...)
	return out
}

// logAttrs appends what ctx tells and the caller has not said.
func logAttrs(ctx context.Context, given idSet, to []slog.Attr) []slog.Attr {
	texts := [len(logIDs)]string{0: RunID(ctx), 3: GetCorrelationID(ctx)}
	attempt := int64(0)
	if s := scopeOf(ctx); s != nil {
		texts[1], attempt = s.stage, s.attempt
	}
	if sc := trace.SpanContextFromContext(ctx); sc.HasTraceID() {
		texts[4] = sc.TraceID().String()
		texts[5] = hexOrNone(sc.SpanID())
	}
	for i, name := range logIDs {
		switch {
		case given&(1<<i) != 0:
		case name == semconv.StageAttemptKey && attempt != 0:
			to = append(to, slog.Int64(name, attempt))
		case texts[i] != "":
			to = append(to, slog.String(name, texts[i]))
		}
	}
	return to
}

// idsIn are the ids that an attribute gives. A group without a name is written as what is in it.
func idsIn(a slog.Attr) (given idSet) {
	if i := slices.Index(logIDs[:], a.Key); i >= 0 {
		return 1 << i
	}
	if a.Key == "" && a.Value.Kind() == slog.KindGroup {
		for _, inner := range a.Value.Group() {
			given |= idsIn(inner)
		}
	}
	return given
}
