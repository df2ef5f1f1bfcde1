// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package pgstore

import (
	"context"
	"strings"
)

// byBytes orders a column of text by its bytes.
const byBytes = ` COLLATE "C"`

// isCockroach asks who the server is. Only migrations ask: all else is said to every server in the same words.
func isCockroach(ctx context.Context, q querier) (bool, error) {
	var version string
	err := q.QueryRow(ctx, "SELECT version()").Scan(&version)
	return strings.Contains(version, "CockroachDB"), err
}

// forCockroach is how migrations are said to CockroachDB. It ends a transaction before every change of the schema,
// unless told not to; and it orders text by its bytes, but does not take it that a column says so.
func forCockroach(texts []string) []string {
	out := []string{"SET LOCAL autocommit_before_ddl = off"}
	for _, sql := range texts {
		out = append(out, strings.ReplaceAll(sql, byBytes, ""))
	}
	return out
}
