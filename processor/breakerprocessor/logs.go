// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breakerprocessor

import (
	"context"

	"go.opentelemetry.io/collector/pdata/plog"
)

func (c *core) processLogs(ctx context.Context, ld plog.Logs) (plog.Logs, error) {
	var calls []call
	now := c.now()
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, record := range sl.LogRecords().All() {
				if call, ok := fromRecord(record, c.keys, now); ok {
					calls = append(calls, call)
				}
			}
		}
	}
	c.judge(ctx, calls, now)
	return ld, nil
}
