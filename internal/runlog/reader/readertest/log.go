// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package readertest builds run logs for tests of those who read them.
package readertest // import "github.com/stageflow/otelcol-stageflow/internal/runlog/reader/readertest"

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
)

// Cells are what a fact says, by column. Times are [time.Time]; JSON columns take text; "attributes" is a
// map[string]string of texts.
type Cells map[string]any

// Fact is what a span said at a time. The table's key is among the cells.
func Fact(t testing.TB, table *runlog.Table, at time.Time, cells Cells) *runlog.Row {
	t.Helper()
	value := func(c runlog.Column) runlog.Value {
		switch v := cells[c.Name].(type) {
		case nil:
		case string:
			return runlog.KeyValue(v)
		case int:
			if c.Type == runlog.Real {
				return runlog.FloatValue(float64(v))
			}
			return runlog.IntValue(int64(v))
		case float64:
			return runlog.FloatValue(v)
		case bool:
			return runlog.BoolValue(v)
		case time.Time:
			return runlog.TimeValue(v.UnixNano())
		default:
			require.Failf(t, "no such cell", "%s: %T", c.Name, v)
		}
		return runlog.Value{}
	}
	var key []runlog.Value
	for _, c := range table.Columns {
		if c.Merge == runlog.Key {
			key = append(key, value(c))
		}
	}
	row := runlog.NewFact(table, at.UnixNano(), true, key...)
	for name, v := range cells {
		if name == "attributes" {
			for k, text := range v.(map[string]string) {
				b, err := json.Marshal(text)
				require.NoError(t, err)
				row.SetAttribute(k, string(b))
			}
			continue
		}
		if i := table.Column(name); table.Columns[i].Merge != runlog.Key {
			row.Set(i, value(table.Columns[i]))
		}
	}
	return row
}

// Write puts facts into a store, as one batch.
func Write(t testing.TB, s runlog.Store, facts ...*runlog.Row) {
	t.Helper()
	b := runlog.NewBatch()
	for _, f := range facts {
		b.Add(f)
	}
	_, err := s.Write(context.Background(), b)
	require.NoError(t, err)
}
