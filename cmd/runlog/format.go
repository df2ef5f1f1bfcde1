// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/stageflow/otelcol-stageflow/internal/runlog/reader"
)

// duration is short and has a sensible precision: 0.4 ms, 87 ms, 1.24 s, 2m05s, 3h12m.
func duration(ms float64) string {
	switch {
	case ms < 0:
		return "-" + duration(-ms)
	case ms == 0:
		return "0 ms"
	case ms < 0.1:
		return "<0.1 ms"
	case ms < 9.95:
		return fmt.Sprintf("%.1f ms", ms)
	case ms < 999.5:
		return fmt.Sprintf("%.0f ms", ms)
	case ms < 59_995:
		return fmt.Sprintf("%.2f s", ms/1000)
	case ms < 3_600_000-500:
		s := int64(ms/1000 + 0.5)
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case ms < 100*3_600_000:
		m := int64(ms/60_000 + 0.5)
		return fmt.Sprintf("%dh%02dm", m/60, m%60)
	}
	return fmt.Sprintf("%.0fd", ms/86_400_000)
}

func durationOf(r reader.Record, column string) string {
	if ms, ok := r.Float(column); ok {
		return duration(ms)
	}
	return ""
}

// ago is how long before now a time was.
func ago(now, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	d := now.Sub(t)
	switch {
	case d < -time.Minute:
		return "in the future"
	case d < time.Second:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("%ds ago", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm ago", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh ago", d/time.Hour)
	}
	return fmt.Sprintf("%dd ago", d/(24*time.Hour))
}

// errorText is the code, then the message.
func errorText(r reader.Record) string {
	code, message := clean(r.Text("error_code")), clean(r.Text("error_message"))
	switch {
	case code == "":
		return message
	case message == "":
		return code
	}
	return code + ": " + message
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func dollars(usd float64) string {
	if usd < 0.1 {
		return fmt.Sprintf("$%.4f", usd)
	}
	return fmt.Sprintf("$%.2f", usd)
}
