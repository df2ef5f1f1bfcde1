// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Command eventdocs writes events.md, the reference of events, their fields and the metrics made of them, from the
// tables that the code reads.
// It is run by go generate in the receiver's folder.
package main

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

func main() {
	if err := os.WriteFile("events.md", document(), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "eventdocs:", err)
		os.Exit(1)
	}
}

const head = `# Events

Generated from the tables in [sdk/semconv](../../sdk/semconv) by ` + "`make generate`" + `; do not edit.

An event leaves as a log record with the EventName below, its own type in ` + "`stageflow.event.type`" + ` and its data,
unchanged, in ` + "`stageflow.event.data`" + `. Types that hold a stage's name are read by their shape:
` + "`stage.{name}.started`" + `, ` + "`stage.{name}.{completed|failed|skipped|cancelled}`" + `, ` + "`stage.wide.{…}`" + `,
` + "`pipeline.wide.{…}`" + `. A type that is not in the table is ` + "`" + string(semconv.EventOther) + "`" + `.

`

func document() []byte {
	var b bytes.Buffer
	b.WriteString(head)
	b.WriteString("| type | EventName |\n|---|---|\n")
	for _, eventType := range slices.SortedFunc(maps.Keys(semconv.EventTypes), func(x, y string) int {
		return cmp.Or(cmp.Compare(semconv.EventTypes[x], semconv.EventTypes[y]), cmp.Compare(x, y))
	}) {
		fmt.Fprintf(&b, "| `%s` | `%s` |\n", eventType, semconv.EventTypes[eventType])
	}
	b.WriteString("\n## Fields\n\nA field that is in no table becomes `" + semconv.DataPrefix + "{field}` on the span, if its event becomes one.\n")
	for _, table := range semconv.FieldTables {
		fmt.Fprintf(&b, "\n### %s\n\n| field | attribute | |\n|---|---|---|\n", table.Title)
		for _, name := range slices.Sorted(maps.Keys(table.Fields)) {
			f := table.Fields[name]
			if f.Key == "" {
				fmt.Fprintf(&b, "| `%s` | | read for %s |\n", name, f.Use)
				continue
			}
			fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", name, f.Key, f.Type)
		}
	}
	metrics(&b)
	return b.Bytes()
}

// metrics lists them in the order of the table, which is that of their subjects.
func metrics(b *bytes.Buffer) {
	b.WriteString("\n## Metrics\n\nWhat a metrics pipeline gets. Sums and histograms are cumulative; every resource has `" + semconv.ServiceNameKey +
		"`.\n\n| metric | | unit | | attributes |\n|---|---|---|---|---|\n")
	for _, m := range semconv.Metrics {
		fmt.Fprintf(b, "| `%s` | %s, %s | %s | %s | %s |\n", m.Name, m.Kind, m.Type, m.Unit, m.Description, quoted(m.Attributes))
	}
	b.WriteString("\n| histogram | upper ends of the buckets |\n|---|---|\n")
	for _, m := range semconv.Metrics {
		if m.Kind == semconv.Histogram {
			fmt.Fprintf(b, "| `%s` | %s |\n", m.Name, bounds(m.Bounds))
		}
	}
}

func quoted(keys []string) string {
	if len(keys) == 0 {
		return ""
	}
	return "`" + strings.Join(keys, "`, `") + "`"
}

func bounds(all []float64) string {
	texts := make([]string, len(all))
	for i, bound := range all {
		texts[i] = strconv.FormatFloat(bound, 'f', -1, 64)
	}
	return strings.Join(texts, ", ")
}
