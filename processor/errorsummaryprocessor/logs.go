// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummaryprocessor

import (
	"context"

	"go.opentelemetry.io/collector/pdata/plog"
)

type logsProcessor struct {
	decider
	count counter
}

func (p *logsProcessor) process(ctx context.Context, ld plog.Logs) (plog.Logs, error) {
	written := newTally()
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, record := range sl.LogRecords().All() {
				var f facts
				f.read(record.Attributes())
				f.readBody(record.Body())
				if !f.tellsError(record.SeverityNumber()) {
					continue
				}
				s := p.summary(&f, "")
				if f.code == "" {
					p.byRules(record.Attributes(), &s, func() *rule { return p.rules.ofLog(ctx, rl, sl, record) })
				}
				write(record.Attributes(), &s, "")
				written.add(&s)
				written.redactions += p.maskLog(record)
			}
		}
	}
	p.count.record(ctx, &written)
	return ld, nil
}
