// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// CompositeExporter gives every event to each of several exporters, at the same time, and waits for all of them. One
// that fails, panics or is slow takes nothing from the others; the errors of all are joined.
//
// A batch that fails at one of them may be tried again at all. Where that matters, put a [BufferedExporter] before each
// of them, not before this.
type CompositeExporter struct {
	exporters []Exporter
	now       func() time.Time
}

var _ Exporter = (*CompositeExporter)(nil)

// NewCompositeExporter leaves out nil exporters; of none, it discards every event.
func NewCompositeExporter(exporters ...Exporter) *CompositeExporter {
	return &CompositeExporter{exporters: present(exporters), now: time.Now}
}

// Export is described at the type.
func (c *CompositeExporter) Export(ctx context.Context, event AnalyticsEvent) error {
	event = event.at(c.now)
	return c.each(func(e Exporter) error { return e.Export(ctx, event) })
}

// ExportBatch is described at the type.
func (c *CompositeExporter) ExportBatch(ctx context.Context, events []AnalyticsEvent) error {
	events = slices.Clone(events)
	for i := range events {
		events[i] = events[i].at(c.now)
	}
	return c.each(func(e Exporter) error { return e.ExportBatch(ctx, events) })
}

// Close closes all of them.
func (c *CompositeExporter) Close(ctx context.Context) error {
	return c.each(func(e Exporter) error { return e.Close(ctx) })
}

func (c *CompositeExporter) each(f func(Exporter) error) error {
	errs := make([]error, len(c.exporters))
	var all sync.WaitGroup
	for i, e := range c.exporters {
		errs[i] = errGoexit // until it returns
		all.Go(func() { errs[i] = caught(func() error { return f(e) }) })
	}
	all.Wait()
	return errors.Join(errs...)
}
