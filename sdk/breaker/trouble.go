// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breaker

// trouble is what a breaker does not need that saw only good calls: most breakers are that. They all have noTrouble,
// which is to be read only.
type trouble struct {
	// streak is the ends of the failures since lastSuccess, in order. Closed only.
	streak []int64
	// retry is until when the provider asked not to be called.
	retry int64

	// good counts the successes of half-open, lastGood is the latest end of one.
	good     int
	lastGood int64
	// probes are when the calls were permitted that half-open waits for, see [Registry.Allow].
	probes []int64

	// mode is forced from outside; forcings is how far what is to be seen is ahead of phase's generation.
	mode     Mode
	forcings uint64
	// spans is what was to be seen, oldest first.
	spans []span
}

var noTrouble = trouble{retry: never, lastGood: never}

// any reports whether it is another than noTrouble.
func (t *trouble) any() bool {
	return len(t.streak)+len(t.probes)+len(t.spans) > 0 || t.mode != Auto || t.forcings > 0 || t.good > 0 ||
		t.retry != never || t.lastGood != never
}

// troubled gives the machine a trouble of its own. Whoever writes to it calls this before.
func (m *machine) troubled() {
	if m.trouble == &noTrouble {
		own := noTrouble
		m.trouble = &own
	}
}

func (t *trouble) rewind(d int64) {
	t.retry, t.lastGood = back(t.retry, d), back(t.lastGood, d)
	for _, times := range [][]int64{t.streak, t.probes} {
		for i := range times {
			times[i] = back(times[i], d)
		}
	}
	for i := range t.spans {
		s := &t.spans[i]
		s.at, s.until, s.opened = back(s.at, d), back(s.until, d), back(s.opened, d)
	}
}
