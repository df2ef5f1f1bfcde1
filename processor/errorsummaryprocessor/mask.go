// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummaryprocessor

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// originalKeys are the attributes that summaries are made from, and the stack, which repeats them.
var originalKeys = []string{semconv.ExceptionMessageKey, semconv.ExceptionStackKey, semconv.ErrorMessageKey}

// maskSpan masks the texts that the span's summary was made from, and returns how many secrets they held.
func (d *decider) maskSpan(span ptrace.Span) (n int64) {
	if !d.originals {
		return 0
	}
	n = d.maskAttributes(span.Attributes())
	for _, event := range span.Events().All() {
		if event.Name() == semconv.ExceptionEventName {
			n += d.maskAttributes(event.Attributes())
		}
	}
	if text, found := d.messages.Redaction.Redact(span.Status().Message()); found > 0 {
		span.Status().SetMessage(text)
		n += int64(found)
	}
	return n
}

// maskLog does the same for a log record.
func (d *decider) maskLog(record plog.LogRecord) (n int64) {
	if !d.originals {
		return 0
	}
	return d.maskAttributes(record.Attributes()) + d.maskText(record.Body())
}

func (d *decider) maskAttributes(attrs pcommon.Map) (n int64) {
	for _, key := range originalKeys {
		if v, ok := attrs.Get(key); ok {
			n += d.maskText(v)
		}
	}
	return n
}

func (d *decider) maskText(v pcommon.Value) int64 {
	if v.Type() != pcommon.ValueTypeStr {
		return 0
	}
	text, n := d.messages.Redaction.Redact(v.Str())
	if n > 0 {
		v.SetStr(text)
	}
	return int64(n)
}
