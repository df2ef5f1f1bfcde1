// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package reader

import (
	"strconv"
	"time"

	"github.com/stageflow/otelcol-stageflow/internal/runlog/sqlitestore"
)

// dialect is where the stores' SQL differs.
type dialect struct {
	// placeholder is the n-th parameter of a query, counted from 1.
	placeholder func(n int) string
	// time is a time as the store compares it.
	time func(time.Time) any
	// bytewise makes a text expression compare by its bytes.
	bytewise string
	// changed is where runs are by when something was told of them last.
	changed changed
	// views lists the names of the views, as column name.
	views string
}

// changed is what queries ask that use the one index on updated_at, which writers keep for the retention.
type changed struct {
	// view has run_id, status and updated_at.
	view string
	// at is when, as an expression; time is a time as it compares.
	at   string
	time func(time.Time) any
}

var sqliteDialect = dialect{
	placeholder: func(int) string { return "?" },
	time:        func(t time.Time) any { return t.UTC().Format(TimeFormat) },
	changed:     changed{sqlitestore.ChangedView, "changed", func(t time.Time) any { return max(0, t.UnixMicro()) }},
	views:       "SELECT name FROM sqlite_master WHERE type IN ('view', 'table')",
}

var postgresDialect = dialect{
	placeholder: func(n int) string { return "$" + strconv.Itoa(n) },
	time:        func(t time.Time) any { return t.UTC() },
	// The database's collation may order letters in another way; "C" is the order of bytes.
	bytewise: ` COLLATE "C"`,
	changed: changed{"runs", "coalesce(updated_at, '1970-01-01 00:00:00+00'::timestamptz)",
		func(t time.Time) any { return t.UTC() }},
	views: "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = ANY (current_schemas(false))",
}
