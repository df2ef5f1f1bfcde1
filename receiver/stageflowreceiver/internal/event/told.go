// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Told is an attribute that a field of an event becomes, and whose it is.
type Told struct {
	Attribute
	// Common is set for what every event may tell; the rest is particular to the event's kind.
	Common bool
	// Extra is set for a field that has no attribute of its own: it is kept under its name behind [semconv.DataPrefix].
	Extra bool
}

// AppendTold appends the fields of the data as attributes, as the tables of semconv say; with extras also those that the
// tables do not know, which go on spans. Nulls are left out. Of two fields for one attribute the later stays.
func (e *Event) AppendTold(dst []Told, extras bool) []Told {
	if !e.hasData {
		return dst
	}
	t := teller{told: dst, from: len(dst), extras: extras}
	fields := e.fields()
	var keep map[string]bool
	if extras {
		keep = e.extras(fields)
	}
	for i := range e.data.list {
		name, v := e.data.list[i].Name, e.data.list[i].Value
		if v.IsNull() {
			continue
		}
		if f, ok := e.around[name]; ok {
			t.field(true, name, f, v)
		} else if f, ok := fields[name]; ok {
			t.field(f.common, name, f.Field, v)
		} else if keep == nil || keep[name] {
			t.extra(false, name, v)
		}
	}
	if _, told := e.Field("pipeline_name"); !told && e.around != nil && e.Name == semconv.EventWideRun {
		if v, ok := e.Field("name"); ok { // the envelope's pipeline_name is the context's, which may have none
			t.put(true, semconv.GenAIWorkflowNameKey, TextValue(v.AsText()))
		}
	}
	if e.Name == semconv.EventCallEnded {
		// Provider SDKs nest their token counts: usage.prompt_tokens, usage.completion_tokens (catalogue 2.1).
		t.extras = false
		usage, _ := e.data.Get("usage")
		for _, member := range usage.Map().All() {
			if f, ok := semconv.CallFields[member.Name]; ok && f.Type == semconv.Int {
				t.field(false, member.Name, f, member.Value)
			}
		}
	}
	return t.told
}

// Find is the value of an attribute, null when it was not told.
func Find(told []Told, key string) Value {
	for i := range told {
		if told[i].Key == key {
			return told[i].Value
		}
	}
	return Value{}
}

// teller gathers what one event tells, from an index on.
type teller struct {
	told   []Told
	from   int
	extras bool
}

// field puts a field as its attribute.
func (t *teller) field(common bool, name string, f semconv.Field, v Value) {
	if f.Key == "" {
		return
	}
	switch f.Type {
	case semconv.Text:
		if v.Type() != pcommon.ValueTypeStr {
			v = TextValue(v.AsText())
		}
		t.put(common, f.Key, v)
		return
	case semconv.Int:
		if n, ok := v.AsInt(); ok {
			t.put(common, f.Key, IntValue(n))
			return
		}
	case semconv.Double:
		if d, ok := v.AsDouble(); ok {
			t.put(common, f.Key, DoubleValue(d))
			return
		}
	case semconv.State:
		if s, ok := semconv.ParseStatus(v.AsText()); ok {
			t.put(common, f.Key, TextValue(string(s)))
			return
		}
	case semconv.Any:
		t.put(common, f.Key, v)
		return
	}
	t.extra(common, name, v) // a value that its attribute cannot hold is kept under its own name
}

func (t *teller) extra(common bool, name string, v Value) {
	if t.extras {
		t.told = append(t.told, Told{Attribute{semconv.DataPrefix + name, v}, common, true})
	}
}

func (t *teller) put(common bool, key string, v Value) {
	for i := t.from; i < len(t.told); i++ {
		if o := &t.told[i]; o.Common == common && o.Key == key {
			o.Value = v
			return
		}
	}
	t.told = append(t.told, Told{Attribute{key, v}, common, false})
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
func (e *Event) fields() map[string]field {
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
func (e *Event) extras(fields map[string]field) map[string]bool {
	if e.data.Len() <= maxExtras {
		return nil
	}
	list := make([]string, 0, e.data.Len())
	for i := range e.data.list {
		name := e.data.list[i].Name
		_, known := fields[name]
		_, around := e.around[name]
		if !known && !around && !e.data.list[i].Value.IsNull() {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	keep := make(map[string]bool, maxExtras)
	for _, name := range list[:min(len(list), maxExtras)] {
		keep[name] = true
	}
	return keep
}
