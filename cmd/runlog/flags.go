// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stageflow/otelcol-stageflow/internal/runlog/reader"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

var runStatuses = []string{
	string(semconv.StatusRunning), string(semconv.StatusCompleted), string(semconv.StatusFailed),
	string(semconv.StatusCancelled), string(semconv.StatusAbandoned),
}

// filterFlags adds the flags that choose runs. Mistakes in them are told by the flag set.
func (c *cli) filterFlags(fs *flag.FlagSet, f *reader.Filter) {
	fs.Func("status", "", func(s string) error {
		for _, status := range strings.Split(s, ",") {
			if status == "canceled" {
				status = string(semconv.StatusCancelled)
			}
			if !slices.Contains(runStatuses, status) {
				return usagef("a run's status is one of %s", strings.Join(runStatuses, ", "))
			}
			f.Status = append(f.Status, status)
		}
		return nil
	})
	fs.StringVar(&f.Pipeline, "pipeline", "", "")
	fs.StringVar(&f.Code, "code", "", "")
	fs.StringVar(&f.User, "user", "", "")
	fs.StringVar(&f.Session, "session", "", "")
	fs.StringVar(&f.Provider, "provider", "", "")
	c.timeFlags(fs, f)
}

func (c *cli) timeFlags(fs *flag.FlagSet, f *reader.Filter) {
	at := func(to *time.Time) func(string) error {
		return func(s string) (err error) {
			*to, err = c.parseTime(s)
			return err
		}
	}
	fs.Func("since", "", at(&f.Since))
	fs.Func("until", "", at(&f.Until))
}

func limitFlag(fs *flag.FlagSet, f *reader.Filter, most int) {
	fs.Func("limit", "", func(s string) error {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > most {
			return usagef("a limit is a number from 1 to %d", most)
		}
		f.Limit = n
		return nil
	})
}

// timeLayouts are how a time may be given; what names no zone is in the terminal's.
var timeLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"}

// parseTime reads how long ago (90s, 1h30m, 7d, 2w), or a time.
func (c *cli) parseTime(s string) (time.Time, error) {
	if d, ok := parseAge(s); ok {
		return c.now().Add(-d), nil
	}
	for _, layout := range timeLayouts {
		if t, err := time.ParseInLocation(layout, s, c.zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef("say how long ago (90s, 1h30m, 7d, 2w) or when (2006-01-02, 2006-01-02T15:04, 2006-01-02T15:04:05Z)")
}

func parseAge(s string) (time.Duration, bool) {
	for unit, length := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if n, err := strconv.ParseUint(strings.TrimSuffix(s, unit), 10, 16); err == nil && strings.HasSuffix(s, unit) {
			return time.Duration(n) * length, true
		}
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d >= 0
}
