// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package semconv

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTableNamesEachEventOnce(t *testing.T) {
	var names []string
	types := map[string]EventName{}
	for _, e := range Events {
		assert.True(t, strings.HasPrefix(string(e.Name), EventNamePrefix), e.Name)
		assert.NotContains(t, names, string(e.Name), "a name has one row")
		names = append(names, string(e.Name))
		for _, eventType := range slices.Concat(e.Types, e.Shapes) {
			assert.Empty(t, types[eventType], "%s is in %s", eventType, e.Name)
			types[eventType] = e.Name
		}
		assert.Equal(t, e.Name == EventOther, len(e.Types)+len(e.Shapes) == 0, "%s is of some type", e.Name)
	}
	for constant, name := range eventConstants(t) {
		assert.Contains(t, names, name, constant)
	}
}

// eventConstants are the constants of type EventName that the package declares.
func eventConstants(t *testing.T) map[string]string {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	constants := map[string]string{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if typ, ok := spec.Type.(*ast.Ident); !ok || typ.Name != "EventName" {
				return true
			}
			for i, name := range spec.Names {
				constants[name.Name], err = strconv.Unquote(spec.Values[i].(*ast.BasicLit).Value)
				require.NoError(t, err, name.Name)
			}
			return true
		})
	}
	require.Contains(t, constants, "EventStreamChunkDropped")
	return constants
}

// What the table says of a type, and of a shape with a name in its place, is how events are named.
func TestTableIsHowEventsAreNamed(t *testing.T) {
	for _, e := range Events {
		for _, eventType := range e.Types {
			assert.Equal(t, e.Name, EventNameOf(eventType, "", false), eventType)
		}
		for _, shape := range e.Shapes {
			eventType := strings.NewReplacer("{name}", "llm", "{…}", "chat").Replace(shape)
			assert.Equal(t, e.Name, EventNameOf(eventType, "", e.Name == EventWideStage), eventType)
		}
	}
}

// plainFields are the fields that events have and that become no attribute of their own: on a span they are
// stageflow.data.{field}, elsewhere a part of the record's data.
var plainFields = []string{
	"artifacts_count", "attempt", "attempts", "backoff_strategy", "blocked_ms", "blocked_puts", "buffer_duration_ms",
	"bytes_available", "bytes_dropped", "bytes_requested", "cascade_depth", "check", "content_type", "delay_ms", "depth",
	"dropped_items", "extra", "fail_on_violation", "fill_percentage", "from_state", "generation", "guard", "ip_address",
	"key", "lost", "lost_total", "max_attempts", "max_duration_ms", "max_queue_size", "max_size", "metadata", "operation",
	"original_action_timestamp", "original_tokens", "output_summary", "payload_summary", "preserved_ratio", "provider",
	"queue", "queue_size", "reason", "resource_org_id", "retry_stage", "retryable", "size_bytes", "stage", "stage_counts",
	"stagnation_hits", "strategy", "timeout_seconds", "to_state", "tokens_removed", "tool_calling_mode", "total_blocked_ms", "total_items",
	"truncated_tokens", "type", "user_agent", "user_org_id", "violation_count", "violations",
}

// Every field of a row is one that a table of fields knows, or one of these that go without an attribute.
func TestTableNamesKnownFields(t *testing.T) {
	used := map[string]bool{}
	for _, e := range Events {
		known := merge(CommonFields, e.Fields)
		for _, field := range slices.Concat(e.Required, e.Optional) {
			if _, ok := known[field]; !ok {
				assert.Contains(t, plainFields, field, e.Name)
				used[field] = true
			}
		}
		for _, field := range e.Optional {
			assert.NotContains(t, known, field, "%s: what a table has is optional as it is", e.Name)
			assert.NotContains(t, e.Required, field, e.Name)
		}
		if e.Open {
			assert.Empty(t, e.Required, "%s: nobody knows what applications send", e.Name)
		}
	}
	for _, field := range plainFields {
		assert.True(t, used[field], "%s is in no row", field)
	}
}

// An event has an attribute to go to wherever it has a place, and fields of the table that is about it.
func TestTableIsConsistent(t *testing.T) {
	metrics := map[string]bool{}
	for _, m := range Metrics {
		metrics[m.Name] = true
	}
	tables := map[Subject]Fields{}
	for _, table := range FieldTables {
		tables[table.About] = table.Fields
	}
	for _, e := range Events {
		if e.Place != Nowhere {
			assert.NotEmpty(t, e.Fields, e.Name)
		}
		if e.Fields != nil {
			require.NotEqual(t, AboutOther, e.About, e.Name)
			for field := range e.Fields {
				assert.Contains(t, tables[e.About], field, "%s: the table of its subject", e.Name)
			}
		}
		for _, m := range e.Metrics {
			assert.True(t, metrics[m], "%s: %s", e.Name, m)
		}
		assert.NotEmpty(t, e.About.String(), e.Name)
		assert.NotEmpty(t, e.Place.String(), e.Name)
	}
}

func TestSpellings(t *testing.T) {
	assert.Equal(t, []string{"tool", "tool_name"}, of(EventToolStarted).Spellings("tool_name"))
	assert.Equal(t, []string{"parent_run_id", "pipeline_run_id"}, of(EventChildEnded).Spellings("parent_run_id"))
	assert.Equal(t, []string{"timestamp"}, of(EventToolStarted).Spellings("timestamp"))
	assert.Equal(t, []string{"queue_size"}, of(EventStreamChunkDropped).Spellings("queue_size"))
}

// A name from elsewhere is a log record and no more.
func TestUnheardOfEvent(t *testing.T) {
	const name EventName = "stageflow.unheard_of"
	assert.False(t, name.OfRun())
	assert.False(t, name.OfTool())
	assert.Equal(t, Nowhere, name.ShownOn())
	assert.Nil(t, FieldsOf(name))
}

var (
	sinkBool   bool
	sinkFields Fields
)

func BenchmarkLookup(b *testing.B) {
	names := []EventName{EventStageStarted, EventWideStage, EventCallEnded, EventToolInvoked, EventOther}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		name := names[i%len(names)]
		sinkBool = name.OfRun()
		sinkFields = FieldsOf(name)
	}
}
