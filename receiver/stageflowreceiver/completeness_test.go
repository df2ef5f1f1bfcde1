// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver

import (
	"testing"

	"github.com/stageflow/otelcol-stageflow/internal/spantree"
)

// Of every line of every capture nothing is lost.
func TestCapturesLoseNothing(t *testing.T) {
	var account spantree.Account
	ran, all := 0, loadCaptures(t)
	for _, c := range all {
		t.Run(c.Name, func(t *testing.T) {
			f := settledCapture(t, c).forest(t)
			account.Check(t, f, c)
			f.CheckNothingElse(t)
			ran++
		})
	}
	if ran == len(all) { // no filter on subtests: what others need is known
		account.Close(t)
	}
}
