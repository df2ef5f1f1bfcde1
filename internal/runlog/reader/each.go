// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package reader

import (
	"context"
	"time"
)

// pageRuns is how many runs are in memory at a time.
const pageRuns = 100

// Each visits every run that a filter chooses with all that is under it, in the order in which they began;
// those without a known start come first. It reads page by page: memory is bounded, and no long transaction
// keeps the writer from tidying up. Runs that begin meanwhile may or may not be visited.
func (r *Reader) Each(ctx context.Context, f Filter, visit func(*Detail) error) error {
	left := f.Limit
	if f.Limit <= 0 {
		left = int(^uint(0) >> 1)
	}
	pages := func(q func(last Record) *query) error {
		var last Record
		for left > 0 {
			size := min(pageRuns, left)
			runs, err := r.all(ctx, q(last).limit(size))
			if err != nil || len(runs) == 0 {
				return err
			}
			details, err := r.under(ctx, runs, viewStages, viewProviderCalls, viewToolCalls, viewBreakerTransitions, viewEvents)
			if err != nil {
				return err
			}
			for _, d := range details {
				if err := visit(d); err != nil {
					return err
				}
			}
			if left -= len(runs); len(runs) < size {
				return nil
			}
			last = runs[len(runs)-1]
		}
		return nil
	}
	if f.Since.IsZero() && f.Until.IsZero() {
		if err := pages(func(last Record) *query { return r.pageWithoutStart(f, last) }); err != nil {
			return err
		}
	}
	return pages(func(last Record) *query { return r.page(f, last) })
}

func (r *Reader) pageWithoutStart(f Filter, last Record) *query {
	q := f.apply(r.query("SELECT * FROM runs").and("started_at IS NULL"))
	if id := last.Text("run_id"); id != "" {
		q.and("run_id > ").arg(id)
	}
	return q.add(" ORDER BY run_id")
}

func (r *Reader) page(f Filter, last Record) *query {
	if f.Since.IsZero() {
		f.Since = time.Unix(0, 0) // no run is older; and it leaves out those without a start
	}
	id := last.Text("run_id")
	if id != "" {
		f.Since = last.Time("started_at")
	}
	q := f.apply(r.query("SELECT * FROM runs"))
	if id != "" {
		// The lower bound on the start is what an index is for; this only tells runs of the same microsecond apart.
		q.and("(started_at > ").arg(f.Since).add(" OR run_id > ").arg(id).add(")")
	}
	return q.add(" ORDER BY started_at, run_id")
}
