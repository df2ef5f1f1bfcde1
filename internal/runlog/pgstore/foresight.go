// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package pgstore

import "sync/atomic"

// foresight tells whether rows that this store does not remember are in the database, by how it was with the last ones.
// To write what is there, without knowing it, is in vain; to read what is not there is, too. Another collector may have
// told of the begin of nearly all runs whose spans come here, or of none.
type foresight struct {
	// logs is about facts from log records, spans about those from spans.
	logs, spans atomic.Bool
}

func (f *foresight) about(it *item) *atomic.Bool {
	if it.fact.FromSpan() {
		return &f.spans
	}
	return &f.logs
}

// expects reports whether a row that is not remembered is probably there.
func (f *foresight) expects(it *item) bool { return f.about(it).Load() }

// learn looks at rows that were not remembered: stored tells which were there.
func (f *foresight) learn(unknown [][]*item, stored func(*item) bool) {
	count := map[*atomic.Bool]int{}
	for _, items := range unknown {
		for _, it := range items {
			if stored(it) {
				count[f.about(it)]++
			} else {
				count[f.about(it)]--
			}
		}
	}
	for about, majority := range count {
		about.Store(majority > 0)
	}
}
