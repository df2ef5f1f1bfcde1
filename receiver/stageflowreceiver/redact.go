// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// redacted stands where something was that must not leave. It is the same for everything: what told values apart would
// tell of them.
const redacted = "[redacted]"

// keptFields are what services, runs, stages, calls and times are told by: without them events fall apart or together. No
// key may name them, and patterns pass them by. They count in an event's data, beside it, and in the stages of a wide event.
var keptFields = []string{
	"action_id", "approved", "attempt", "call_id", "child_run_id", "data_keys", "decision", "duration_ms", "emitted_at",
	"end_time", "ended_at", "event_name", "event_type", "event_version", "latency_ms", "parent_run_id", "parent_stage_id",
	"pipeline_run_id", "seq", "service", "sink_batch", "sink_id", "stage", "stage_attempt", "stage_details", "stage_name",
	"start_time", "started_at", "status", "success", "timestamp", "trace_id", "traceparent", "type",
}

// detailsField holds events in an event: a wide event of a run tells of its stages there.
const detailsField = "stage_details"

// redactor takes out of events what must not leave, in place, before anything else looks at them. A nil one leaves all
// as it is.
type redactor struct {
	keys     []keyPattern
	patterns []*regexp.Regexp
	kept     map[string]bool
	// attributes are those that the fields which are redacted become; keptAttributes those of the kept ones. An agent
	// has written them beside the data.
	attributes, keptAttributes map[string]bool
}

// newRedactor is nil when nothing is to be redacted. The error names every key and pattern that is wrong.
func newRedactor(cfg RedactConfig) (*redactor, error) {
	if len(cfg.Keys) == 0 && len(cfg.Patterns) == 0 {
		return nil, nil
	}
	r := &redactor{kept: map[string]bool{}, attributes: map[string]bool{}, keptAttributes: map[string]bool{
		semconv.EventTypeKey: true, semconv.EventSinkIDKey: true, semconv.EventSeqKey: true, semconv.EventBatchKey: true,
		semconv.EventTraceParentKey: true, semconv.CallStatusKey: true, semconv.ToolStatusKey: true, semconv.RunEndKey: true,
		semconv.ClockKey: true, semconv.StartTimeKey: true, semconv.ApprovalDecisionKey: true,
	}}
	for _, name := range keptFields {
		r.kept[name] = true
	}
	var errs error
	for _, key := range cfg.Keys {
		p, err := newKeyPattern(key)
		errs = errors.Join(errs, err)
		r.keys = append(r.keys, p)
	}
	for _, text := range cfg.Patterns {
		p, err := newTextPattern(text)
		errs = errors.Join(errs, err)
		r.patterns = append(r.patterns, p)
	}
	if errs != nil {
		return nil, errs
	}
	r.learn(semconv.CommonFields)
	r.learn(semconv.EnvelopeFields)
	for i := range semconv.Events {
		r.learn(semconv.Events[i].Fields)
	}
	return r, nil
}

func (r *redactor) learn(table semconv.Fields) {
	for name, f := range table {
		if r.kept[name] {
			r.keptAttributes[f.Key] = true
		} else if f.Key != "" && r.names([]string{"data", name}) {
			r.attributes[f.Key] = true
		}
	}
}

// keyPattern names fields: the segments of a dotted path, compared from its end.
type keyPattern []string

func newKeyPattern(key string) (keyPattern, error) {
	p := keyPattern(strings.Split(strings.ToLower(key), "."))
	if slices.Contains(p, "") {
		return nil, fmt.Errorf("redact::keys has %q: write the name of a field, or names with a dot between them; * stands for any text but a dot", key)
	}
	for _, segment := range p {
		if _, err := path.Match(segment, ""); err != nil {
			return nil, fmt.Errorf("redact::keys has %q: %w; write \\[ for a bracket", key, err)
		}
	}
	var kept []string
	for _, name := range keptFields {
		if p.names([]string{name}) || p.names([]string{"data", name}) || p.names([]string{"data", detailsField, name}) {
			kept = append(kept, name)
		}
	}
	if p.names([]string{"data"}) {
		kept = append(kept, "data")
	}
	if len(kept) > 0 {
		return nil, fmt.Errorf("redact::keys has %q: it names %s, by which events are put together; name the others one by one", key, strings.Join(kept, ", "))
	}
	return p, nil
}

// names tells whether the pattern names the field at a path of lower-case segments.
func (p keyPattern) names(at []string) bool {
	if len(p) > len(at) {
		return false
	}
	at = at[len(at)-len(p):]
	for i := len(p) - 1; i >= 0; i-- {
		if ok, _ := path.Match(p[i], at[i]); !ok {
			return false
		}
	}
	return true
}

func newTextPattern(text string) (*regexp.Regexp, error) {
	p, err := regexp.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("redact::patterns has %q: %w", text, err)
	}
	if p.MatchString("") {
		return nil, fmt.Errorf("redact::patterns has %q: it matches where there is nothing; let it match one character at least", text)
	}
	return p, nil
}

// redact takes out of a record what must not leave, if it is an event, and returns how many values that were.
func (r *redactor) redact(lr plog.LogRecord) int {
	if r == nil || !event.Is(lr) {
		return 0
	}
	w := &redaction{redactor: r}
	if body := []string{"body"}; w.names(body) {
		w.take(lr.Body())
	} else {
		w.value(lr.Body(), body, 1, false)
	}
	w.attributesOf(lr.Attributes())
	return w.count
}

func (r *redactor) names(at []string) bool {
	return slices.ContainsFunc(r.keys, func(p keyPattern) bool { return p.names(at) })
}

func (r *redactor) matches(s string) bool {
	return slices.ContainsFunc(r.patterns, func(p *regexp.Regexp) bool { return p.MatchString(s) })
}

func (r *redactor) replace(s string) string {
	for _, p := range r.patterns {
		s = p.ReplaceAllLiteralString(s, redacted)
	}
	return s
}

// redaction is one pass over a record.
type redaction struct {
	*redactor
	count int
}

func (w *redaction) attributesOf(attrs pcommon.Map) {
	for key, v := range attrs.All() {
		switch {
		case key == semconv.EventDataKey && v.Type() == pcommon.ValueTypeMap:
			w.fields(v.Map(), []string{"data"}, 1, true)
		case key == semconv.EventEnvelopeKey && v.Type() == pcommon.ValueTypeMap:
			w.fields(v.Map(), nil, 0, true)
		case w.keptAttributes[key]:
		case w.attributes[key] || w.names(segments(key)):
			w.take(v)
		default:
			w.value(v, segments(key), 1, false)
		}
	}
	w.rename(attrs, func(key string) bool { return strings.HasPrefix(key, semconv.EventNamePrefix) })
}

// fields redacts the members of a map at a path. depth is how deep the map lies, as the converter counts it; of an
// event's own fields some are kept.
func (w *redaction) fields(m pcommon.Map, at []string, depth int, own bool) {
	for name, v := range m.All() {
		if own && w.kept[name] {
			if v.Type() == pcommon.ValueTypeSlice || v.Type() == pcommon.ValueTypeMap {
				w.value(v, slices.Concat(at, []string{name}), depth+1, name == detailsField)
			}
			continue
		}
		here := slices.Concat(at, segments(name))
		if w.names(here) {
			w.take(v)
			continue
		}
		w.value(v, here, depth+1, false)
	}
	w.rename(m, func(name string) bool { return own && w.kept[name] })
}

// value redacts what lies in a value that is not redacted as a whole. The elements of a list are at its own path.
func (w *redaction) value(v pcommon.Value, at []string, depth int, own bool) {
	switch v.Type() {
	case pcommon.ValueTypeEmpty:
	case pcommon.ValueTypeMap:
		if depth >= event.MaxDepth {
			w.take(v) // it becomes text, in which no field can be found
			return
		}
		w.fields(v.Map(), at, depth, own)
	case pcommon.ValueTypeSlice:
		if depth >= event.MaxDepth {
			w.take(v)
			return
		}
		for _, item := range v.Slice().All() {
			w.value(item, at, depth+1, own)
		}
	case pcommon.ValueTypeStr:
		switch s := v.Str(); {
		case s == redacted:
		case depth >= event.MaxDepth && (strings.HasPrefix(s, "{") || strings.HasPrefix(s, "[")):
			w.take(v) // it has become text
		case w.matches(s):
			v.SetStr(w.replace(s))
			w.count++
		}
	case pcommon.ValueTypeBytes:
		if w.matches(string(v.Bytes().AsRaw())) {
			w.take(v)
		}
	default:
		if len(w.patterns) > 0 && w.matches(v.AsString()) {
			w.take(v)
		}
	}
}

// rename redacts the names of members, but those that are kept: some applications use what users typed as one.
func (w *redaction) rename(m pcommon.Map, kept func(name string) bool) {
	found := 0
	for name := range m.All() {
		if w.matches(name) && !kept(name) {
			found++
		}
	}
	if found == 0 {
		return
	}
	w.count += found
	raw := make(map[string]any, m.Len())
	for name, v := range m.All() {
		if !kept(name) {
			name = w.replace(name)
		}
		raw[name] = v.AsRaw()
	}
	_ = m.FromRaw(raw) // raw values of pdata are always taken back
}

// take replaces a value. A null stays: that nothing was there is no secret.
func (w *redaction) take(v pcommon.Value) {
	if v.Type() == pcommon.ValueTypeEmpty || (v.Type() == pcommon.ValueTypeStr && v.Str() == redacted) {
		return
	}
	v.SetStr(redacted)
	w.count++
}

func segments(name string) []string { return strings.Split(strings.ToLower(name), ".") }
