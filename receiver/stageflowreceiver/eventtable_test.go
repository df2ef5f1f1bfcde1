// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/assembly"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// seenType is what EVENT_FIELDS.json says of a type: its fields, and whether all events of the type had them.
type seenType struct {
	Fields map[string]struct {
		Present string `json:"present"`
	} `json:"fields"`
}

func seenTypes(t *testing.T) map[string]seenType {
	raw, err := os.ReadFile(filepath.Join(capturesDir, "EVENT_FIELDS.json"))
	require.NoError(t, err)
	var types map[string]seenType
	require.NoError(t, json.Unmarshal(raw, &types))
	return types
}

// openTypes are the types in EVENT_FIELDS.json that applications made, with fields of their own: they are logged as they
// are.
var openTypes = []string{"analytics.overflow", "app.heartbeat", "app.started", "custom.*", "stage.progress"}

// Every type of event that the library was seen to write is in the table, a stage's by its shape, or an application's
// own; each had what the table requires, and every field is one that the table or a table of fields has.
func TestEventFieldsAreKnown(t *testing.T) {
	open, problems := checkTable(seenTypes(t))
	assert.Equal(t, openTypes, open)
	assert.Empty(t, problems)
}

// The check above can fail.
func TestEventFieldsThatAreNotKnown(t *testing.T) {
	for want, spoil := range map[string]func(map[string]seenType){
		"stage.{name}.started: pipeline_run_id is required and was not always there": func(types map[string]seenType) {
			field := types["stage.{name}.started"].Fields["pipeline_run_id"]
			field.Present = "588/589"
			types["stage.{name}.started"].Fields["pipeline_run_id"] = field
		},
		"guard_retry.attempt: guard is required and was not always there": func(types map[string]seenType) {
			delete(types["guard_retry.attempt"].Fields, "guard")
		},
		"stream.queue_closed: nobody knows of new": func(types map[string]seenType) {
			types["stream.queue_closed"].Fields["new"] = types["stream.queue_closed"].Fields["total_items"]
		},
		"stage.{name}.finished: stageflow.stage.event has no such type": func(types map[string]seenType) {
			types["stage.{name}.finished"] = seenType{}
		},
		"pipeline.begun: stageflow.event has no such type": func(types map[string]seenType) {
			types["pipeline.begun"] = seenType{}
		},
	} {
		types := seenTypes(t)
		spoil(types)
		_, problems := checkTable(types)
		assert.Equal(t, []string{want}, problems)
	}
}

// checkTable holds the table of events against types that were seen. Those that applications made are not in the table;
// they are returned.
func checkTable(types map[string]seenType) (open, problems []string) {
	for _, seen := range slices.Sorted(maps.Keys(types)) {
		fields := types[seen].Fields
		bare := strings.TrimSuffix(seen, " (user subclass)")
		_, wide := fields["started_at"]
		row := rowOf(semconv.EventNameOf(exampleOf(bare), "", wide))
		if row.Open && slices.Contains(openTypes, seen) {
			open = append(open, seen)
			continue
		}
		if !slices.ContainsFunc(slices.Concat(row.Types, row.Shapes), func(t string) bool { return t == bare || exampleOf(t) == exampleOf(bare) }) {
			problems = append(problems, fmt.Sprintf("%s: %s has no such type", seen, row.Name))
			continue
		}
		var known []string
		for _, required := range row.Required {
			spellings := row.Spellings(required)
			known = append(known, spellings...)
			if !slices.ContainsFunc(spellings, func(name string) bool { return fields[name].Present == "always" }) {
				problems = append(problems, fmt.Sprintf("%s: %s is required and was not always there", seen, required))
			}
		}
		for _, field := range slices.Sorted(maps.Keys(fields)) {
			_, own := row.Fields[field]
			_, common := semconv.CommonFields[field]
			if !own && !common && !slices.Contains(known, field) && !slices.Contains(row.Optional, field) {
				problems = append(problems, fmt.Sprintf("%s: nobody knows of %s", seen, field))
			}
		}
	}
	return open, problems
}

func rowOf(name semconv.EventName) semconv.Event {
	return semconv.Events[slices.IndexFunc(semconv.Events, func(e semconv.Event) bool { return e.Name == name })]
}

// exampleOf is a type of the shape, which has placeholders.
func exampleOf(shape string) string {
	return strings.NewReplacer("{name}", "llm", "{pipeline}", "llm", "{…}", "llm").Replace(shape)
}

// What the table says of where an event goes is where its fields go.
func TestEventsGoWhereTheTableSays(t *testing.T) {
	for _, row := range semconv.Events {
		data := `"pipeline_run_id":"r","parent_run_id":"p","stage":"llm","call_id":"c","action_id":"a","tool_name":"t"`
		switch {
		case row.About == semconv.AboutChild:
			data += `,"child_run_id":"c"`
		case row.Name == semconv.EventWideStage:
			data += `,"started_at":"2026-11-22T11:24:15+00:00"`
		}
		for _, eventType := range slices.Concat(row.Types, row.Shapes, []string{"of nobody"}) {
			if eventType = exampleOf(eventType); eventType == "of nobody" && row.Name != semconv.EventOther {
				continue
			}
			var d event.Decoder
			rejected, _ := d.Decode(fmt.Appendf(nil, `{"type":%q,"data":{%s,"unknown":1}}`, eventType, data), true)
			require.Empty(t, rejected)
			e := &d.Events[0]
			require.Equal(t, row.Name, e.Name, eventType)
			var facts assembly.Facts
			facts.Read(e, e.AppendTold(nil, true), 0, e.RunID(), "", 1)
			assert.Equal(t, row.Place.String(), placeOf(facts.List).String(), eventType)
		}
	}
}

// placeOf is where the facts of one event go.
func placeOf(facts []assembly.Fact) semconv.Place {
	switch f := facts[0]; {
	case len(facts) > 1: // the parent, which told, is there too
		return semconv.AsChild
	case f.Start, f.End != nil:
		return semconv.AsRun
	case f.Stage != nil:
		return semconv.AsStage
	case f.Call != nil:
		return semconv.AsCall
	case f.Tool != nil && f.Tool.Note != nil:
		return semconv.OnTool
	case f.Tool != nil:
		return semconv.AsTool
	case f.Shown != nil:
		return f.Shown.On
	}
	return semconv.Nowhere
}
