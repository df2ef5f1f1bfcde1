// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package reader

import (
	"context"
	"slices"
)

// belongs is how a view's rows belong to runs, and their order below one run.
var belongs = map[string]struct{ column, order string }{
	viewStages:             {"run_id", "started_at NULLS LAST, name, attempt"},
	viewProviderCalls:      {"run_id", "started_at NULLS LAST, call_id"},
	viewToolCalls:          {"run_id", "started_at NULLS LAST, action_id"},
	viewBreakerTransitions: {"trace_id", "at NULLS LAST, generation"},
	viewEvents:             {"run_id", "time NULLS LAST"},
}

// under reads what is under runs, with one query per view.
func (r *Reader) under(ctx context.Context, runs []Record, views ...string) ([]*Detail, error) {
	details := make([]*Detail, len(runs))
	for i, run := range runs {
		details[i] = &Detail{Run: run}
	}
	for _, view := range views {
		if !r.views[view] {
			continue
		}
		if err := r.fill(ctx, details, view); err != nil {
			return nil, err
		}
	}
	return details, nil
}

// fill reads one view for several runs. If that is more than [MaxRows], it asks for fewer runs at a time, so
// that one run's flood neither costs memory nor takes from the others.
func (r *Reader) fill(ctx context.Context, details []*Detail, view string) error {
	column := belongs[view].column
	owners := map[string][]*[]Record{}
	var keys []string
	for _, d := range details {
		key := d.Run.Text(column)
		if key == "" {
			continue
		}
		if owners[key] == nil {
			keys = append(keys, key)
		}
		lists := d.lists()
		i := slices.IndexFunc(lists, func(l list) bool { return l.view == view })
		owners[key] = append(owners[key], lists[i].records)
	}
	if len(keys) == 0 {
		return nil
	}
	found, err := r.all(ctx, r.below(view, keys))
	if err != nil {
		return err
	}
	if len(found) > MaxRows {
		if half := len(details) / 2; half > 0 {
			if err := r.fill(ctx, details[:half], view); err != nil {
				return err
			}
			return r.fill(ctx, details[half:], view)
		}
		found, details[0].Truncated = found[:MaxRows], true
	}
	for _, record := range found {
		for _, to := range owners[record.Text(column)] {
			*to = append(*to, record)
		}
	}
	return nil
}

func (r *Reader) below(view string, keys []string) *query {
	b := belongs[view]
	return r.query("SELECT * FROM "+view).in(b.column, keys).add(" ORDER BY " + b.column + ", " + b.order).limit(MaxRows + 1)
}
