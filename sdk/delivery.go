// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// DeliveryStats is how the events of a [Client] made by [Setup] fare. All numbers count from its start.
type DeliveryStats struct {
	// Emitted events were written; those that are neither sent nor lost wait in the queue.
	Emitted int64
	// Sent events were taken by the collector.
	Sent int64
	// Lost events never arrived: dropped from a full queue, or given up after the collector did not take them for as long
	// as OTEL_EXPORTER_OTLP_TIMEOUT says. It is known once a later event has been sent or given up.
	Lost int64
}

// ledger finds out what became of events, by their sequence numbers: the queue before the exporter drops without
// saying so, but what it does not drop it hands over in order.
type ledger struct {
	sent, failed int64 // events in batches that arrived, and that did not
	horizon      int64 // the highest number in any batch but the latest
	highest      int64
	below        int64 // events in batches with numbers up to the horizon
	reported     int64 // lost events that have been told
}

// settle enters the numbers of a batch that arrived or did not. Two goroutines may write events in another order than
// they are numbered, so what is missing counts only when a whole further batch has passed.
func (l *ledger) settle(numbers []int64, arrived bool) {
	l.horizon = l.highest
	l.below = l.sent + l.failed
	for _, n := range numbers {
		if n <= l.horizon {
			l.below++
		}
		l.highest = max(l.highest, n)
	}
	if arrived {
		l.sent += int64(len(numbers))
	} else {
		l.failed += int64(len(numbers))
	}
}

// lost is how many events did not arrive, as far as that is known.
func (l *ledger) lost() int64 { return l.failed + max(l.horizon-l.below, 0) }

// unreported is how many lost events nobody has been told of; telling them is on the caller.
func (l *ledger) unreported() (fresh, total int64) {
	total = l.lost()
	fresh = max(total-l.reported, 0)
	l.reported += fresh
	return fresh, total
}

// numbersOf are the sequence numbers of records.
func numbersOf(records []sdklog.Record) []int64 {
	numbers := make([]int64, 0, len(records))
	for i := range records {
		records[i].WalkAttributes(func(kv attribute.KeyValue) bool {
			if kv.Key != semconv.EventSeqKey {
				return true
			}
			numbers = append(numbers, kv.Value.AsInt64())
			return false
		})
	}
	return numbers
}
