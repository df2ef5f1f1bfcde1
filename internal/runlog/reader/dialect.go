// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package reader

import (
	"strconv"
	"time"
)

// dialect is where the stores' SQL differs.
type dialect struct {
	// placeholder is the n-th parameter of a query, counted from 1.
	placeholder func(n int) string
	// time is a time as the store compares it.
	time func(time.Time) any
	// bytewise makes a text expression compare by its bytes.
	bytewise string
	// views lists the names of the views, as column name.
	views string
}

var sqliteDialect = dialect{
	placeholder: func(int) string { return "?" },
	time:        func(t time.Time) any { return t.UTC().Format(TimeFormat) },
	views:       "SELECT name FROM sqlite_master WHERE type IN ('view', 'table')",
}

var postgresDialect = dialect{
	placeholder: func(n int) string { return "$" + strconv.Itoa(n) },
	time:        func(t time.Time) any { return t.UTC() },
	// The database's collation may order letters in another way; "C" is the order of bytes.
	bytewise: ` COLLATE "C"`,
	views:    "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = ANY (current_schemas(false))",
}
