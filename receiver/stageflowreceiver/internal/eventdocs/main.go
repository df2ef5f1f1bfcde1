// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Command eventdocs writes events.md, the reference of events, their fields and the metrics made of them, and the table
// of events in README.md, from the tables that the code reads.
// It is run by go generate in the receiver's folder.
package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

func main() {
	if err := write(); err != nil {
		fmt.Fprintln(os.Stderr, "eventdocs:", err)
		os.Exit(1)
	}
}

func write() error {
	if err := os.WriteFile("events.md", document(), 0o644); err != nil {
		return err
	}
	written, err := os.ReadFile("README.md")
	if err != nil {
		return err
	}
	updated, err := readme(string(written))
	if err != nil {
		return err
	}
	return os.WriteFile("README.md", []byte(updated), 0o644)
}

const head = `# Events

Generated from the tables in [sdk/semconv](../../sdk/semconv) by ` + "`make generate`" + `; do not edit.

An event leaves as a log record with the EventName below, its own type in ` + "`stageflow.event.type`" + ` and its data,
unchanged, in ` + "`stageflow.event.data`" + `; beside that it becomes what the table says. Types that hold a stage's name
are read by their shape and the ` + "`status`" + ` in their data, which may be spelled in other ways, too. A type that is not
in the table is ` + "`" + string(semconv.EventOther) + "`" + `.

Required are the fields that every version of the framework, its Rust port and the SDK send with each of the types,
under this name or another that becomes the same attribute. The value may be null, and ` + "`pipeline_run_id`" + ` may be
missing where the run has no id. Every other field is optional: those of the table of fields that is named here, those
of [every event](#every-event), and any other.

`

func document() []byte {
	var b bytes.Buffer
	b.WriteString(head)
	b.WriteString("| type | EventName | about | becomes | required | optional |\n|---|---|---|---|---|---|\n")
	for i := range semconv.Events {
		e := &semconv.Events[i]
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s | %s | %s |\n", types(e), e.Name, e.About, becomes(e), quoted(e.Required), optional(e))
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

// types are the types of an event, its shapes among them.
func types(e *semconv.Event) string {
	all := slices.Concat(e.Types, e.Shapes)
	if len(all) == 0 {
		return "any other"
	}
	return quoted(all)
}

// becomes tells where an event goes beside its log record.
func becomes(e *semconv.Event) string {
	place := e.Place.String()
	if slices.Contains(e.Required, "stage_details") {
		place += ", and those of its stages"
	}
	switch {
	case len(e.Metrics) == 0:
		return place
	case e.Place == semconv.Nowhere:
		return "metrics: " + quoted(e.Metrics)
	}
	return place + "; metrics: " + quoted(e.Metrics)
}

// optional names the table of fields of an event, and the fields that are not in it.
func optional(e *semconv.Event) string {
	var parts []string
	if e.Fields != nil {
		for _, table := range semconv.FieldTables {
			if table.About == e.About {
				parts = append(parts, fmt.Sprintf("[%s](#%s)", table.Title, anchor(table.Title)))
			}
		}
	}
	if len(e.Optional) > 0 {
		parts = append(parts, quoted(e.Optional))
	}
	if e.Open {
		parts = append(parts, "the application's own")
	}
	return strings.Join(parts, ", ")
}

// anchor is the link to a heading.
func anchor(title string) string {
	return strings.NewReplacer(" ", "-", ",", "").Replace(strings.ToLower(title))
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
