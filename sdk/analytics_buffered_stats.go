// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import "encoding/json"

// BufferedExporterStats is how a [BufferedExporter] does. The counts are since it was made:
// Exported + Failed + Dropped + Queued = Accepted.
type BufferedExporterStats struct {
	Queued   int   // events that wait or are being exported
	Accepted int64 // events that Export took
	Exported int64 // events that the exporter behind took
	Failed   int64 // events that were given up, after all attempts or when Close waited no longer
	Dropped  int64 // events that were dropped because the buffer was full
	Flushes  int64 // batches that the exporter behind took
	Retries  int64 // attempts after the first of a batch

	BufferSize      int  // events that wait
	MaxBufferSize   int  // how many may
	HighWaterWarned bool // the mark was reached, and the buffer not below half of it since
}

// FillRatio is how full the buffer is, 0 to 1.
func (s BufferedExporterStats) FillRatio() float64 {
	if s.MaxBufferSize == 0 {
		return 0
	}
	return float64(s.BufferSize) / float64(s.MaxBufferSize)
}

// Map has the names of the framework's API document (queued, dropped, flushes) and those of its code (buffer_size,
// max_buffer_size, dropped_count, fill_ratio, high_water_warned), besides accepted, exported, failed and retries.
func (s BufferedExporterStats) Map() map[string]any {
	return map[string]any{
		"queued":            s.Queued,
		"dropped":           s.Dropped,
		"flushes":           s.Flushes,
		"buffer_size":       s.BufferSize,
		"max_buffer_size":   s.MaxBufferSize,
		"dropped_count":     s.Dropped,
		"fill_ratio":        s.FillRatio(),
		"high_water_warned": s.HighWaterWarned,
		"accepted":          s.Accepted,
		"exported":          s.Exported,
		"failed":            s.Failed,
		"retries":           s.Retries,
	}
}

// MarshalJSON writes [BufferedExporterStats.Map].
func (s BufferedExporterStats) MarshalJSON() ([]byte, error) { return json.Marshal(s.Map()) }

// Stats is how the exporter does now.
func (b *BufferedExporter) Stats() BufferedExporterStats {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.counts
	s.Queued = len(b.waiting) + len(b.sending)
	s.BufferSize, s.MaxBufferSize, s.HighWaterWarned = len(b.waiting), b.maxSize, b.warned
	return s
}
