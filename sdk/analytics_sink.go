// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"math"
	"strings"
	"time"
)

// AnalyticsSinkOption is a setting of [NewAnalyticsSink].
type AnalyticsSinkOption func(*AnalyticsSink)

// WithInclude exports only events whose type contains one of parts. Default: all. Used twice, the parts add up.
func WithInclude(parts ...string) AnalyticsSinkOption {
	return func(s *AnalyticsSink) { s.include = append(s.include, parts...) }
}

// WithExclude leaves out events whose type contains one of parts, included or not. Used twice, the parts add up.
func WithExclude(parts ...string) AnalyticsSinkOption {
	return func(s *AnalyticsSink) { s.exclude = append(s.exclude, parts...) }
}

// AnalyticsSink is an [EventSink] that gives events to an [Exporter]. pipeline_run_id, stage and duration_ms of the
// data are also what the event itself says of them; the run and stage that ctx is in, where the data is silent.
//
// Both methods take as long as the exporter's Export: put a [BufferedExporter] before one that waits.
type AnalyticsSink struct {
	exporter         Exporter
	include, exclude []string
	now              func() time.Time
}

var _ EventSink = (*AnalyticsSink)(nil)

// NewAnalyticsSink gives events to exporter, which stays the caller's to close.
func NewAnalyticsSink(exporter Exporter, opts ...AnalyticsSinkOption) *AnalyticsSink {
	s := &AnalyticsSink{exporter: exporter, now: time.Now}
	for _, opt := range opts {
		opt(s)
	}
	return s
}

// TryEmit exports the event. False: the exporter refused it. An event that is filtered out is dealt with.
func (s *AnalyticsSink) TryEmit(ctx context.Context, eventType string, data map[string]any) bool {
	return s.Emit(ctx, eventType, data) == nil
}

// Emit exports the event. The error is the exporter's, of which a panic is one.
func (s *AnalyticsSink) Emit(ctx context.Context, eventType string, data map[string]any) error {
	if !s.wants(eventType) {
		return nil
	}
	event := s.event(ctx, eventType, data)
	return caught(func() error { return s.exporter.Export(ctx, event) })
}

func (s *AnalyticsSink) wants(eventType string) bool {
	in := func(parts []string) bool {
		for _, part := range parts {
			if strings.Contains(eventType, part) {
				return true
			}
		}
		return false
	}
	return !in(s.exclude) && (len(s.include) == 0 || in(s.include))
}

// event keeps nothing of data: exporters may hold on to what they get, callers may go on changing it.
func (s *AnalyticsSink) event(ctx context.Context, eventType string, data map[string]any) AnalyticsEvent {
	e := AnalyticsEvent{EventType: eventType, Timestamp: s.now(), Data: snapshot(data)}
	e.PipelineRunID = idOf(e.Data[fieldRunID])
	e.StageName = idOf(e.Data[fieldStage])
	if d, ok := durationOf(e.Data[fieldDuration]); ok {
		e.Duration = &d
	}
	if e.PipelineRunID == "" {
		e.PipelineRunID = RunID(ctx)
	}
	if in := scopeOf(ctx); in != nil && e.StageName == "" && e.PipelineRunID == in.run.ref.id {
		e.StageName = in.stage
	}
	return e
}

// idOf is a name or id as text, whatever type the application has for it.
func idOf(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	return safely(v)
}

// durationOf reads milliseconds; ok is false for what is no number or longer than a [time.Duration] can hold.
func durationOf(v any) (d time.Duration, ok bool) {
	var ms float64
	switch v := v.(type) {
	case int64:
		ms = float64(v)
	case float64:
		ms = v
	default:
		return 0, false
	}
	if !(math.Abs(ms) <= float64(math.MaxInt64/int64(time.Millisecond))) {
		return 0, false
	}
	return time.Duration(math.Round(ms * float64(time.Millisecond))), true
}
