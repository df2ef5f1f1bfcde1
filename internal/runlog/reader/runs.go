// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package reader

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrNotFound says that the log has no such run.
var ErrNotFound = errors.New("the log has no such run")

// AmbiguousError says that several runs begin with what was asked for.
type AmbiguousError struct {
	Prefix string
	// Candidates are some of them.
	Candidates []string
	// More tells that there are others.
	More bool
}

func (e *AmbiguousError) Error() string {
	more := ""
	if e.More {
		more = " and others"
	}
	return fmt.Sprintf("several runs begin with %q: %s%s", e.Prefix, strings.Join(e.Candidates, ", "), more)
}

// Runs are the runs that a filter chooses, the last begun first.
func (r *Reader) Runs(ctx context.Context, f Filter) ([]Record, error) {
	return r.all(ctx, r.runs(f))
}

func (r *Reader) runs(f Filter) *query {
	q := f.apply(r.query("SELECT * FROM runs")).add(" ORDER BY started_at DESC")
	if f.Since.IsZero() && f.Until.IsZero() {
		q.add(" NULLS FIRST") // as a rule runs without a start have just begun
	}
	return q.limit(f.limit())
}

// Find is the id of the one run whose id is, or begins with, what is given: [ErrNotFound] when there is none,
// an [*AmbiguousError] when there are several.
func (r *Reader) Find(ctx context.Context, prefix string) (string, error) {
	const few = 5
	if prefix == "" {
		return "", ErrNotFound
	}
	exact, err := r.all(ctx, r.query("SELECT run_id FROM runs").and("run_id = ").arg(prefix))
	if err != nil {
		return "", err
	}
	if len(exact) == 1 {
		return prefix, nil
	}
	found, err := r.all(ctx, r.prefixed(prefix, few+1))
	if err != nil {
		return "", err
	}
	switch len(found) {
	case 0:
		return "", ErrNotFound
	case 1:
		return found[0].Text("run_id"), nil
	}
	e := &AmbiguousError{Prefix: prefix, More: len(found) > few}
	for _, run := range found[:min(few, len(found))] {
		e.Candidates = append(e.Candidates, run.Text("run_id"))
	}
	return "", e
}

// prefixed asks by range, because that is what an index can answer whatever the prefix holds.
func (r *Reader) prefixed(prefix string, limit int) *query {
	id := "run_id" + r.dialect.bytewise
	return r.query("SELECT run_id FROM runs").and(id + " >= ").arg(prefix).
		and(id + " < ").arg(prefix + "\U0010FFFF").add(" ORDER BY " + id).limit(limit)
}

// Run is a run with all that is under it, or [ErrNotFound].
func (r *Reader) Run(ctx context.Context, id string) (*Detail, error) {
	found, err := r.all(ctx, r.byID("*", []string{id}))
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, ErrNotFound
	}
	details, err := r.under(ctx, found, viewStages, viewProviderCalls, viewToolCalls, viewBreakerTransitions)
	if err != nil {
		return nil, err
	}
	d := details[0]
	if d.Children, err = r.all(ctx, r.children(id)); err != nil {
		return nil, err
	}
	if len(d.Children) > MaxRows {
		d.Children, d.Truncated = d.Children[:MaxRows], true
	}
	return d, nil
}

func (r *Reader) byID(columns string, ids []string) *query {
	return r.query("SELECT "+columns+" FROM runs").in("run_id", ids)
}

func (r *Reader) children(id string) *query {
	return r.query("SELECT * FROM runs").and("parent_run_id = ").arg(id).add(" ORDER BY started_at NULLS LAST, run_id").limit(MaxRows + 1)
}

// Change is the state of a run at a time.
type Change struct {
	RunID, Status string
	UpdatedAt     time.Time
}

// States are the states of these runs, at most [MaxLimit].
func (r *Reader) States(ctx context.Context, ids []string) (states []Change, err error) {
	for _, part := range chunks(ids) {
		if states, err = r.changes(ctx, states, r.byID(changeColumns, part)); err != nil {
			return nil, err
		}
	}
	return states, nil
}

// Changed are the runs that something was told of after a state, which may be the last of the answer before:
// at most [MaxLimit], in order. Times are those of the events; what arrives late comes with a time that has
// passed, so who follows a log looks back a little.
func (r *Reader) Changed(ctx context.Context, after Change) ([]Change, error) {
	return r.changes(ctx, nil, r.changed(after))
}

const changeColumns = "run_id, status, updated_at"

func (r *Reader) changed(after Change) *query {
	c := r.dialect.changed
	q := r.query("SELECT " + changeColumns + " FROM " + c.view)
	q.and(c.at + " >= ").arg(c.time(after.UpdatedAt))
	q.and("(" + c.at + " > ").arg(c.time(after.UpdatedAt)).add(" OR run_id > ").arg(after.RunID).add(")")
	return q.add(" ORDER BY " + c.at + ", run_id").limit(MaxLimit)
}

func (r *Reader) changes(ctx context.Context, to []Change, q *query) ([]Change, error) {
	err := r.each(ctx, q, func(c Record) error {
		to = append(to, Change{RunID: c.Text("run_id"), Status: c.Text("status"), UpdatedAt: c.Time("updated_at")})
		return nil
	})
	return to, err
}

// chunks divides ids into what one query takes.
func chunks(ids []string) (parts [][]string) {
	const size = 500
	ids = ids[:min(len(ids), MaxLimit)]
	for len(ids) > size {
		parts, ids = append(parts, ids[:size]), ids[size:]
	}
	if len(ids) > 0 {
		parts = append(parts, ids)
	}
	return parts
}
