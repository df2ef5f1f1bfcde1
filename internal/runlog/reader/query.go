// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package reader

import (
	"strings"
	"time"
)

// query is a statement in the making. Text is always written in this package; whatever comes from outside goes
// through arg, and so is a parameter.
type query struct {
	dialect dialect
	text    strings.Builder
	args    []any
	where   bool
}

func (r *Reader) query(text string) *query {
	q := &query{dialect: r.dialect}
	q.text.WriteString(text)
	return q
}

// add writes text of this package.
func (q *query) add(text string) *query {
	q.text.WriteString(text)
	return q
}

// arg writes a parameter.
func (q *query) arg(v any) *query {
	if t, ok := v.(time.Time); ok {
		v = q.dialect.time(t)
	}
	q.args = append(q.args, v)
	return q.add(q.dialect.placeholder(len(q.args)))
}

// and begins the next condition.
func (q *query) and(condition string) *query {
	if q.where {
		return q.add(" AND " + condition)
	}
	q.where = true
	return q.add(" WHERE " + condition)
}

// in writes the condition that a column is one of the values.
func (q *query) in(column string, values []string) *query {
	q.and(column + " IN (")
	for i, v := range values {
		if i > 0 {
			q.add(", ")
		}
		q.arg(v)
	}
	return q.add(")")
}

// limit ends the statement.
func (q *query) limit(n int) *query { return q.add(" LIMIT ").arg(int64(n)) }
