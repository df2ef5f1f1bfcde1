// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// another is a text as the same failure gives it another time: other digits.
func another(text string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '8' {
			return r + 1
		}
		return r
	}, text)
}

// What happens again has the fingerprint that it had, and what is something else has another. The code is given, for with
// other digits a status may be another.
func TestGroupingOfTheCorpus(t *testing.T) {
	groups, again, all := map[string][]string{}, 0, samples(t, corpora[0])
	for _, s := range all {
		in := Input{Type: s.in.Type, Message: s.in.Message, Code: s.code}
		was := Classify(in)
		groups[was.Fingerprint] = append(groups[was.Fingerprint], s.id)
		in.Message = another(in.Message)
		if Classify(in).Fingerprint == was.Fingerprint {
			again++
		}
	}
	shared := 0
	for _, ids := range groups {
		if len(ids) > 1 {
			shared++
			t.Log("one group: ", ids)
		}
	}
	t.Logf("%d samples, %d groups, %d of them of several samples; %d are in their group again with other digits", len(all), len(groups), shared, again)
	assert.GreaterOrEqual(t, again*100, len(all)*98)
	assert.GreaterOrEqual(t, len(groups)*100, len(all)*95, "failures of different kinds must not be one group")
}
