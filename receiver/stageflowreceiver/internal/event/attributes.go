// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Sink takes attributes. Of two for one key the later stays.
type Sink interface {
	PutStr(key, text string)
	PutInt(key string, n int64)
	PutDouble(key string, d float64)
	// PutCopy keeps nothing of v, which may change.
	PutCopy(key string, v pcommon.Value)
}

type mapSink struct{ pcommon.Map }

func (m mapSink) PutCopy(key string, v pcommon.Value) { v.CopyTo(m.PutEmpty(key)) }

// Attributes is WriteTo for maps.
func (e Event) Attributes(common, own pcommon.Map, extras bool) {
	e.WriteTo(mapSink{common}, mapSink{own}, extras)
}

// WriteTo writes the fields of the data as attributes, as the tables of semconv say: those that every event
// may have into common, those particular to the event's kind into own. With extras, fields that have no
// attribute of their own go into own too, under their name behind [semconv.DataPrefix]. Nulls are left out.
func (e Event) WriteTo(common, own Sink, extras bool) {
	if !e.hasData {
		return
	}
	fields := e.fields()
	var keep map[string]bool
	if extras {
		keep = e.extras(fields)
	}
	for name, v := range e.data.All() {
		if v.Type() == pcommon.ValueTypeEmpty {
			continue
		}
		if f, ok := e.around[name]; ok {
			put(common, name, f, v, extras)
		} else if f, ok := fields[name]; ok {
			dst := own
			if f.common {
				dst = common
			}
			put(dst, name, f.Field, v, extras)
		} else if keep == nil && extras || keep[name] {
			own.PutCopy(semconv.DataPrefix+name, v)
		}
	}
	if _, told := e.Field("pipeline_name"); !told && e.around != nil && e.Name == semconv.EventWideRun {
		if v, ok := e.Field("name"); ok { // the envelope's pipeline_name is the context's, which may have none
			common.PutStr(semconv.GenAIWorkflowNameKey, AsText(v))
		}
	}
	if usage, ok := e.data.Get("usage"); ok && usage.Type() == pcommon.ValueTypeMap && e.Name == semconv.EventCallEnded {
		// Provider SDKs nest their token counts: usage.prompt_tokens, usage.completion_tokens (catalogue 2.1).
		for name, v := range usage.Map().All() {
			if f, ok := semconv.CallFields[name]; ok && f.Type == semconv.Int {
				put(own, name, f, v, false)
			}
		}
	}
}

// field is a field of an event's kind, or one that every event may have.
type field struct {
	semconv.Field
	common bool
}

// The fields of every kind of event, and of what a run tells of its child.
var (
	fieldsByName = func() map[semconv.EventName]map[string]field {
		tables := map[semconv.EventName]map[string]field{}
		for i := range semconv.Events {
			tables[semconv.Events[i].Name] = withCommon(semconv.FieldsOf(semconv.Events[i].Name))
		}
		return tables
	}()
	childFields  = withCommon(semconv.ChildFields)
	commonFields = withCommon(nil)
)

// withCommon puts the fields of a kind over the common ones: a run's parent is its own business, a request id everybody's.
func withCommon(own semconv.Fields) map[string]field {
	all := make(map[string]field, len(own)+len(semconv.CommonFields))
	for name, f := range semconv.CommonFields {
		all[name] = field{f, true}
	}
	for name, f := range own {
		all[name] = field{f, false}
	}
	return all
}

// fields is the table of the event's kind.
func (e Event) fields() map[string]field {
	if e.OfChild() {
		return childFields
	}
	if fields, ok := fieldsByName[e.Name]; ok {
		return fields
	}
	return commonFields
}

// maxExtras bounds the fields without an attribute of their own that go on a span: attributes are looked for one by
// one, so n of them cost n² steps. What is beyond stays in the log record.
const maxExtras = 256

// extras are the names of the fields that go on a span behind [semconv.DataPrefix], nil for all. Of too many those
// that come first in the alphabet stay, so that every copy of an event keeps the same.
func (e Event) extras(fields map[string]field) map[string]bool {
	if e.data.Len() <= maxExtras {
		return nil
	}
	names := make([]string, 0, e.data.Len())
	for name, v := range e.data.All() {
		_, known := fields[name]
		_, around := e.around[name]
		if !known && !around && v.Type() != pcommon.ValueTypeEmpty {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	keep := make(map[string]bool, maxExtras)
	for _, name := range names[:min(len(names), maxExtras)] {
		keep[name] = true
	}
	return keep
}

func put(dst Sink, name string, f semconv.Field, v pcommon.Value, extras bool) {
	if f.Key == "" {
		return
	}
	switch f.Type {
	case semconv.Text:
		dst.PutStr(f.Key, AsText(v))
		return
	case semconv.Int:
		if n, ok := AsInt(v); ok {
			dst.PutInt(f.Key, n)
			return
		}
	case semconv.Double:
		if d, ok := AsDouble(v); ok {
			dst.PutDouble(f.Key, d)
			return
		}
	case semconv.State:
		if s, ok := semconv.ParseStatus(AsText(v)); ok {
			dst.PutStr(f.Key, string(s))
			return
		}
	case semconv.Any:
		dst.PutCopy(f.Key, v)
		return
	}
	if extras {
		// A value that its attribute cannot hold is kept under its own name.
		dst.PutCopy(semconv.DataPrefix+name, v)
	}
}
