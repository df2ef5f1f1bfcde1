// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"

import (
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// writeRecords makes log records of the events that are new, if there is a logs pipeline or a journal: one resource for
// each service that they name.
func (b *batch) writeRecords(ld plog.Logs) {
	if b.next == nil && b.journal == nil {
		return
	}
	count := map[string]int{}
	for i := range b.items {
		if b.items[i].known != duplicate {
			count[b.items[i].service]++
		}
	}
	byService := map[string]plog.LogRecordSlice{}
	for i := range b.items {
		it := &b.items[i]
		if it.known == duplicate {
			continue
		}
		records, ok := byService[it.service]
		if !ok {
			records = recordsOf(ld, it.service)
			records.EnsureCapacity(count[it.service])
			byService[it.service] = records
		}
		lr := records.AppendEmpty()
		if it.has {
			it.record.MoveTo(lr)
		} else {
			it.Record(lr, it.spare())
		}
		it.record, it.has = lr, true
	}
}

// spare is how many attributes [batch.normalise] writes, at most.
func (it *item) spare() int {
	n := len(it.told) + 5
	if it.Name == semconv.EventCallEnded {
		n += len(joinedKeys)
	}
	return n
}

// recordsOf makes the place for the records of a service, "" for those that name none.
func recordsOf(ld plog.Logs, service string) plog.LogRecordSlice {
	rl := ld.ResourceLogs().AppendEmpty()
	if service != "" {
		rl.Resource().Attributes().PutStr(semconv.ServiceNameKey, service)
	}
	sl := rl.ScopeLogs().AppendEmpty()
	sl.Scope().SetName(semconv.ScopeName)
	return sl.LogRecords()
}
