// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver

import (
	"testing"

	"github.com/stageflow/otelcol-stageflow/internal/spantree"
)

// Every run of every capture is one tree, at the times that the truth tells.
func TestCapturesAreTrees(t *testing.T) {
	for _, c := range loadCaptures(t) {
		t.Run(c.Name, func(t *testing.T) {
			f := settledCapture(t, c).forest(t)
			f.CheckTrees(t)
			f.CheckTimes(t, c)
		})
	}
}

func (r *testReceiver) forest(t *testing.T) *spantree.Forest {
	t.Helper()
	return spantree.New(t, r.tracesSink.AllTraces(), r.logsSink.AllLogs())
}
