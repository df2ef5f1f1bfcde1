// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"

import (
	"context"
	"errors"
	"fmt"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/stanza/fileconsumer"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/stanza/operator/helper"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/stanza/split"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/metric/noop"
	"go.uber.org/zap"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
)

// newFilesConfig has the defaults of the filelog receiver, but for those by which it would lose events: that receiver
// begins at a file's end, waits after a truncation until the file is as long as it was, reads compressed files as text,
// and takes parts of a line for lines, when it is long and when half of it is written.
func newFilesConfig() fileconsumer.Config {
	cfg := *fileconsumer.NewConfig()
	cfg.StartAt = "beginning"
	cfg.OnTruncate = fileconsumer.OnTruncateReadWholeFile
	cfg.Compression = "auto"
	cfg.MaxLogSize = helper.ByteSize(event.MaxSize)
	cfg.MaxLogSizeBehavior = fileconsumer.MaxLogSizeBehaviorTruncate
	cfg.FlushPeriod = 0
	cfg.IncludeFileName = false
	return cfg
}

// validateFiles reports what the reader of files refuses, and the keys that would not do here what they do there.
func validateFiles(cfg *fileconsumer.Config) error {
	var errs error
	for _, k := range []struct {
		key, must string
		wrong     bool
	}{
		{"multiline", "it must be left out, for an event is one line", cfg.SplitConfig != split.Config{}},
		{"header", "it must be left out, for every line is an event", cfg.Header != nil},
		{"encoding", "it must be utf-8, the encoding of JSON", cfg.Encoding != "utf-8"},
		{"max_log_size_behavior", "it must be truncate, for a part of a line is no event", cfg.MaxLogSizeBehavior != fileconsumer.MaxLogSizeBehaviorTruncate},
		{"delete_after_read", "it must be false, for files are deleted before their last lines have been taken", cfg.DeleteAfterRead},
		{"include_file_*", "they must be false, for events do not tell which file they came from", cfg.IncludeFileName || cfg.IncludeFilePath ||
			cfg.IncludeFileNameResolved || cfg.IncludeFilePathResolved || cfg.IncludeFileOwnerName || cfg.IncludeFileOwnerGroupName ||
			cfg.IncludeFilePermissions || cfg.IncludeFileRecordNumber || cfg.IncludeFileRecordOffset},
		{"poll_interval", "it must be above 0", cfg.PollInterval <= 0},
	} {
		if k.wrong {
			errs = errors.Join(errs, fmt.Errorf("files::%s: %s", k.key, k.must))
		}
	}
	switch cfg.Compression {
	case "", "gzip", "auto":
	default:
		errs = errors.Join(errs, fmt.Errorf("files::compression is %q: it must be auto, gzip or empty", cfg.Compression))
	}
	rest := *cfg // without what has been said
	rest.SplitConfig, rest.Header, rest.Encoding, rest.DeleteAfterRead = split.Config{}, nil, "utf-8", false
	rest.MaxLogSizeBehavior = fileconsumer.MaxLogSizeBehaviorTruncate
	nothing := func(context.Context, [][]byte, map[string]any, int64, []int64) error { return nil }
	if _, err := rest.Build(component.TelemetrySettings{Logger: zap.NewNop(), MeterProvider: noop.NewMeterProvider()}, nothing); err != nil {
		errs = errors.Join(errs, fmt.Errorf("files: %w", err))
	}
	return errs
}
