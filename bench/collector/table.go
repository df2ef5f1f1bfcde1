// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"
)

// results are the measurements of each contestant, in the order of the rounds.
type results [][]measurement

// print writes a table in Markdown: medians, with the least and the most of all rounds. The ratio is that of the first
// contestant's CPU time to this one's, round by round.
func (r results) print(w io.Writer, batch, events, bytes int) error {
	_, err := fmt.Fprintf(w, "\n%d events a request, %d events of %d B on average, %d rounds\n\n"+
		"| | events/s | CPU s per million events | ours to this | target |\n|---|---|---|---|---|\n",
		batch, events, bytes/events, len(r[0]))
	for i := range contestants {
		if err != nil || len(r[i]) == 0 {
			continue
		}
		var perSecond, cpu, ratio []float64
		for round, m := range r[i] {
			perSecond, cpu = append(perSecond, m.perSecond/1000), append(cpu, m.cpu)
			ratio = append(ratio, r[0][round].cpu/m.cpu)
		}
		_, err = fmt.Fprintf(w, "| %s | %s | %s | %s | %s |\n", contestants[i].name,
			spread("%.0fk", perSecond), spread("%.2f", cpu), spread("%.2f", ratio), verdict(contestants[i].target, median(ratio)))
	}
	return err
}

func verdict(target, is float64) string {
	switch {
	case target == 0:
		return ""
	case is <= target:
		return fmt.Sprintf("≤ %.2f: met", target)
	}
	return fmt.Sprintf("≤ %.2f: missed", target)
}

// spread is the median, and the least and the most.
func spread(format string, of []float64) string {
	return fmt.Sprintf("**"+format+"** ("+format+" to "+format+")", median(of), slices.Min(of), slices.Max(of))
}

func median(of []float64) float64 { return slices.Sorted(slices.Values(of))[len(of)/2] }
