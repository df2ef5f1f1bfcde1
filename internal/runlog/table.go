// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlog

import (
	"fmt"
	"slices"
	"strings"
)

// Type is what a column holds.
type Type uint8

// The column types. Times are microseconds since 1970; JSON is canonical text (see [AppendJSONString]).
const (
	Text Type = iota
	Integer
	Real
	Boolean
	Time
	JSON
)

// Merge is how a column's cells join.
type Merge uint8

// The ways to join.
const (
	// Key names the row. Never NULL.
	Key Merge = iota
	// Filled is never blanked; of two values the one told later wins, then the larger.
	Filled
	// FilledEach is Filled for each key of a JSON object by itself.
	FilledEach
	// Earliest is the smallest known time.
	Earliest
	// Latest is the time of the latest fact.
	Latest
	// End is part of the group that says how the thing ended; the group comes whole from the winning end.
	End
)

// Column is a column of a table.
type Column struct {
	Name  string
	Type  Type
	Merge Merge
	// Hidden columns are kept for the merge rule and are not shown to readers.
	Hidden bool
	// Indexed columns, and those of the key, hold text that indexes take (see [MaxKey]).
	Indexed bool
}

// Table is one kind of record. The columns stand in the order in which readers see them, those of the key first.
type Table struct {
	Name    string
	Columns []Column

	// group lists the columns that name a group.
	group []int
	// status and endKind are columns of the end group, -1 where a table has none.
	status, endKind int
	// attributes and updated are the FilledEach and the Latest column, -1 where a table has none.
	attributes, updated int
	// end lists the columns of the end group by name, the order of canonical JSON.
	end []int
}

// errorColumns is what the design calls error_*.
var errorColumns = []Column{
	{Name: "error_code", Merge: End},
	{Name: "error_type", Merge: End},
	{Name: "error_message", Merge: End},
	{Name: "error_retryable", Type: Boolean, Merge: End},
}

// Runs has one row per run.
var Runs = newTable("runs",
	Column{Name: "run_id", Merge: Key},
	Column{Name: "trace_id", Merge: Filled},
	Column{Name: "parent_run_id", Merge: Filled, Indexed: true},
	Column{Name: "parent_stage", Merge: Filled},
	Column{Name: "pipeline_name", Merge: Filled},
	Column{Name: "topology", Merge: Filled},
	Column{Name: "execution_mode", Merge: Filled},
	Column{Name: "service", Merge: Filled},
	Column{Name: "status", Merge: End},
	Column{Name: "end_kind", Merge: End},
	Column{Name: "started_at", Type: Time, Merge: Earliest},
	Column{Name: "ended_at", Type: Time, Merge: End},
	Column{Name: "duration_ms", Type: Real, Merge: End},
	Column{Name: "failed_stage", Merge: End},
	errorColumns,
	Column{Name: "error_fingerprint", Merge: End},
	Column{Name: "breakers", Type: JSON, Merge: Filled},
	Column{Name: "user_id", Merge: Filled, Indexed: true},
	Column{Name: "session_id", Merge: Filled},
	Column{Name: "org_id", Merge: Filled},
	Column{Name: "request_id", Merge: Filled},
	Column{Name: "correlation_id", Merge: Filled},
	Column{Name: "stage_results", Type: JSON, Merge: Filled},
	Column{Name: "attributes", Type: JSON, Merge: FilledEach},
	Column{Name: "updated_at", Type: Time, Merge: Latest},
)

// Stages has one row per attempt of a stage. Its group, the unit of [Group], is all attempts of one stage.
var Stages = newTable("stages",
	Column{Name: "run_id", Merge: Key},
	Column{Name: "name", Merge: Key},
	Column{Name: "attempt", Type: Integer, Merge: Key},
	Column{Name: "span_id", Merge: Filled},
	Column{Name: "kind", Merge: Filled},
	Column{Name: "status", Merge: End},
	Column{Name: "reason", Merge: End},
	Column{Name: "started_at", Type: Time, Merge: Earliest},
	Column{Name: "ended_at", Type: Time, Merge: End},
	Column{Name: "duration_ms", Type: Real, Merge: End},
	errorColumns,
	Column{Name: "attributes", Type: JSON, Merge: FilledEach},
).groupedBy(2)

// ProviderCalls has one row per call to a provider. Readers see success; status is what it follows from.
var ProviderCalls = newTable("provider_calls",
	Column{Name: "run_id", Merge: Key},
	Column{Name: "call_id", Merge: Key},
	Column{Name: "stage", Merge: Filled},
	Column{Name: "operation", Merge: Filled},
	Column{Name: "provider", Merge: Filled},
	Column{Name: "model_id", Merge: Filled},
	Column{Name: "success", Type: Boolean, Merge: End},
	Column{Name: "latency_ms", Type: Real, Merge: End},
	Column{Name: "input_tokens", Type: Integer, Merge: Filled},
	Column{Name: "output_tokens", Type: Integer, Merge: Filled},
	Column{Name: "cost_usd", Type: Real, Merge: Filled},
	errorColumns,
	Column{Name: "breaker_state", Merge: Filled},
	Column{Name: "started_at", Type: Time, Merge: Earliest},
	Column{Name: "ended_at", Type: Time, Merge: End},
	Column{Name: "attributes", Type: JSON, Merge: FilledEach},
	Column{Name: "status", Merge: End, Hidden: true},
)

// ToolCalls has one row per call of a tool.
var ToolCalls = newTable("tool_calls",
	Column{Name: "run_id", Merge: Key},
	Column{Name: "action_id", Merge: Key},
	Column{Name: "tool_name", Merge: Filled},
	Column{Name: "stage", Merge: Filled},
	Column{Name: "status", Merge: End},
	Column{Name: "started_at", Type: Time, Merge: Earliest},
	Column{Name: "ended_at", Type: Time, Merge: End},
	Column{Name: "duration_ms", Type: Real, Merge: End},
	errorColumns,
	Column{Name: "attributes", Type: JSON, Merge: FilledEach},
)

// BreakerTransitions has one row per change of a circuit breaker's state. It belongs to no run: a breaker judges by
// the calls of many.
var BreakerTransitions = newTable("breaker_transitions",
	Column{Name: "key", Merge: Key},
	Column{Name: "source", Merge: Key},
	Column{Name: "generation", Type: Integer, Merge: Key},
	Column{Name: "from_state", Merge: Filled},
	Column{Name: "to_state", Merge: Filled},
	Column{Name: "at", Type: Time, Merge: Earliest},
	Column{Name: "reason", Merge: Filled},
	Column{Name: "trace_id", Merge: Filled, Indexed: true},
	Column{Name: "span_id", Merge: Filled},
)

// Events has one row per event as it came, for replay. Copies of one event are one row: its hash, which [EventHash]
// makes, is part of the key. Events of no run have the empty run_id.
var Events = newTable("events",
	Column{Name: "run_id", Merge: Key},
	Column{Name: "hash", Merge: Key, Hidden: true},
	Column{Name: "type", Merge: Filled},
	Column{Name: "time", Type: Time, Merge: Earliest},
	Column{Name: "data", Type: JSON, Merge: Filled},
)

// Tables are all tables, parents first.
var Tables = []*Table{Runs, Stages, ProviderCalls, ToolCalls, BreakerTransitions, Events}

// newTable takes columns and lists of columns.
func newTable(name string, columns ...any) *Table {
	t := &Table{Name: name, status: -1, endKind: -1, attributes: -1, updated: -1}
	for _, c := range columns {
		switch c := c.(type) {
		case Column:
			t.Columns = append(t.Columns, c)
		case []Column:
			t.Columns = append(t.Columns, c...)
		}
	}
	for i, c := range t.Columns {
		switch c.Merge {
		case Key:
			t.group = append(t.group, i)
		case End:
			t.end = append(t.end, i)
		case FilledEach:
			t.attributes = i
		case Latest:
			t.updated = i
		}
		switch c.Name {
		case "status":
			t.status = i
		case "end_kind":
			t.endKind = i
		}
	}
	slices.SortFunc(t.end, func(a, b int) int { return strings.Compare(t.Columns[a].Name, t.Columns[b].Name) })
	return t
}

// groupedBy makes groups by the first n columns of the key; without it each record is a group.
func (t *Table) groupedBy(n int) *Table {
	t.group = t.group[:n]
	return t
}

// OfRun reports whether the table's records belong to runs: then the first column is run_id.
func (t *Table) OfRun() bool { return t.Columns[0].Name == "run_id" }

// GroupColumns are the columns that name a [Group], run_id included: the key, but for stages without the attempt.
// Stores read a group by the values that its rows have in them.
func (t *Table) GroupColumns() []int { return t.group }

// Column is the index of a column by its name. It panics on a name that the table has not, so look names up
// when the program starts.
func (t *Table) Column(name string) int {
	for i, c := range t.Columns {
		if c.Name == name {
			return i
		}
	}
	panic(fmt.Sprintf("runlog: table %s has no column %q", t.Name, name))
}
