// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"math"

	"github.com/stageflow/otelcol-stageflow/internal/runlog/reader"
)

func (c *cli) export(fs *flag.FlagSet) action {
	var f reader.Filter
	c.filterFlags(fs, &f)
	limitFlag(fs, &f, math.MaxInt32)
	return func(ctx context.Context, operands []string) error {
		if err := noOperands("export", operands); err != nil {
			return err
		}
		return c.withLog(ctx, func() error {
			return c.log.Each(ctx, f, func(d *reader.Detail) error { return c.printJSON(d) })
		})
	}
}
