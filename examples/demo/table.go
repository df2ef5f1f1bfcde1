// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/stageflow/otelcol-stageflow/internal/runlog/sqlitestore"
)

const runs = `
SELECT run_id, coalesce(pipeline_name, ''), status, duration_ms, coalesce(failed_stage, ''),
  coalesce(error_code || ': ' || coalesce(error_message, ''), ''), coalesce(breakers, '[]')
FROM runs ORDER BY started_at`

// printRuns prints the run log as a table, a line per run.
func printRuns(ctx context.Context, database string) (err error) {
	log, err := sqlitestore.OpenReader(database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	answer, err := log.Query(ctx, runs)
	if err != nil {
		return err
	}
	if len(answer.Rows) == 0 {
		return errors.New("it is empty")
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	// Writes to a tabwriter are kept; Flush tells what went wrong.
	_, _ = fmt.Fprintln(w, "RUN\tPIPELINE\tSTATUS\tDURATION\tFAILED STAGE\tERROR SUMMARY\tBREAKERS NOT CLOSED")
	for _, row := range answer.Rows {
		_, _ = fmt.Fprintf(w, "%v\t%v\t%v\t%s\t%v\t%s\t%s\n",
			row[0], row[1], row[2], milliseconds(row[3]), row[4], short(fmt.Sprint(row[5])), breakers(fmt.Sprint(row[6])))
	}
	return w.Flush()
}

func milliseconds(v any) string {
	switch ms := v.(type) {
	case float64:
		return fmt.Sprintf("%.0f ms", ms)
	case int64:
		return fmt.Sprintf("%d ms", ms)
	}
	return ""
}

// short cuts an error to what fits beside the other columns.
func short(s string) string {
	const width = 60
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:width-1]) + "…"
}

func breakers(list string) string {
	var states []struct{ Key, State string }
	if err := json.Unmarshal([]byte(list), &states); err != nil {
		return list
	}
	out := make([]string, 0, len(states))
	for _, s := range states {
		out = append(out, s.Key+" "+s.State)
	}
	return strings.Join(out, ", ")
}
