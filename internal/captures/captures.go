// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package captures reads the event streams in testdata/captures, recorded from the Python library, with their
// ground truth, and says what of the truth can be known from the events. Only tests use it.
package captures // import "github.com/stageflow/otelcol-stageflow/internal/captures"

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Capture is one recorded stream.
type Capture struct {
	Name string
	// Body is the stream as it is posted: JSON lines.
	Body []byte
	Runs []Run
}

// Run is the truth of one run.
type Run struct {
	Label string
	// ID is "" where the application set none.
	ID string
	// Status is what the run log must show: the truth, or what can be known of it where [Run.Unknowable] says why.
	Status      semconv.Status
	Unknowable  string
	FailedStage string
	// Stages are the statuses that the truth tells, by stage: what the last attempt must show.
	Stages map[string]semconv.Status
	// StartedAt and EndedAt are when the application called the pipeline and when the call returned.
	StartedAt, EndedAt time.Time
	// Durations are the milliseconds that the truth tells, by stage: those of the last attempt. The library
	// truncates: int(seconds * 1000).
	Durations map[string]int64
	// Emitted is set when at least one event names the run.
	Emitted bool
	// Told are the stages that events of the run tell of: each must have a row. Some executors emit nothing for a
	// stage, so these may be fewer than Stages.
	Told map[string]bool
}

// outcomes maps the truth's words to the run log's.
var outcomes = map[string]semconv.Status{
	"completed":                   semconv.StatusCompleted,
	"failed":                      semconv.StatusFailed,
	"returned_with_failed_stages": semconv.StatusFailed,
	"cancelled":                   semconv.StatusCancelled,
	"task_cancelled":              semconv.StatusCancelled,
}

// unknowable lists the runs whose outcome the events alone do not tell, with what they do tell and why.
var unknowable = map[string]struct {
	status semconv.Status
	why    string
}{
	"cancel_asyncio_task__unified_wide/": {semconv.StatusCompleted,
		"a cancelled asyncio task emits nothing: one stage.wide completed, then silence"},
	"subpipeline_max_depth/": {semconv.StatusCompleted,
		"the run appears only as the parent of a failed child, and a failed child does not fail its parent"},
}

// droppedEvents are captures whose sink dropped events, so a run may show a start and no end.
const droppedEvents = "backpressure_sink_drops__legacy_wide"

// restoredStages are stages that the deprecated graph itself treated as completed, so its truth says so, although
// the stage asked for a cancellation; the events tell and the run log shows what the stage asked for.
var restoredStages = map[string]semconv.Status{
	"cancel_by_stage__legacy_wide//input_guard": semconv.StatusCancelled,
}

// Load reads all captures below dir.
func Load(dir string) ([]Capture, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.ndjson"))
	if err != nil {
		return nil, err
	}
	var out []Capture
	for _, file := range files {
		c, err := load(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no captures in %s", dir)
	}
	return out, nil
}

// Small are the lines of the streams that are worth permuting: few, and none of them long.
func Small(dir string) ([][]string, error) {
	all, err := Load(dir)
	if err != nil {
		return nil, err
	}
	var out [][]string
	for _, c := range all {
		lines := strings.Split(strings.TrimSpace(string(c.Body)), "\n")
		if lines[0] != "" && len(lines) <= 40 && !slices.ContainsFunc(lines, func(l string) bool { return len(l) > 10_000 }) {
			out = append(out, lines)
		}
	}
	return out, nil
}

func load(file string) (Capture, error) {
	c := Capture{Name: strings.TrimSuffix(filepath.Base(file), ".ndjson")}
	var err error
	if c.Body, err = os.ReadFile(file); err != nil {
		return c, err
	}
	raw, err := os.ReadFile(strings.TrimSuffix(file, ".ndjson") + ".truth.json")
	if err != nil {
		return c, err
	}
	var truth struct {
		Runs []struct {
			Label       string
			ID          *string   `json:"pipeline_run_id"`
			Outcome     string    `json:"outcome"`
			FailedStage string    `json:"failed_stage"`
			StartedAt   time.Time `json:"started_at"`
			EndedAt     time.Time `json:"ended_at"`
			Stages      map[string]struct {
				Status     string
				DurationMS *int64 `json:"duration_ms"`
			} `json:"stages"`
		} `json:"runs"`
	}
	if err := json.Unmarshal(raw, &truth); err != nil {
		return c, err
	}
	for _, t := range truth.Runs {
		r := Run{
			Label: t.Label, Status: outcomes[t.Outcome], FailedStage: t.FailedStage, StartedAt: t.StartedAt, EndedAt: t.EndedAt,
			Stages: map[string]semconv.Status{}, Durations: map[string]int64{},
		}
		if t.ID != nil {
			r.ID = *t.ID
			r.Emitted = bytes.Contains(c.Body, []byte(*t.ID))
			r.Told = toldStages(c.Body, *t.ID)
		}
		if r.Status == "" {
			return c, fmt.Errorf("run %q: unknown outcome %q", t.Label, t.Outcome)
		}
		if u, ok := unknowable[c.Name+"/"+t.Label]; ok {
			r.Status, r.Unknowable = u.status, u.why
		}
		if c.Name == droppedEvents && !ended(c.Body, r.ID) {
			r.Status, r.Unknowable = semconv.StatusAbandoned, "the sink dropped the events that would tell the end of a started stage"
		}
		for stage, s := range t.Stages {
			status, ok := semconv.ParseStatus(s.Status)
			if !ok {
				return c, fmt.Errorf("run %q, stage %q: unknown status %q", t.Label, stage, s.Status)
			}
			if restored, ok := restoredStages[c.Name+"/"+t.Label+"/"+stage]; ok {
				status = restored
			}
			r.Stages[stage] = status
			if s.DurationMS != nil {
				r.Durations[stage] = *s.DurationMS
			}
		}
		c.Runs = append(c.Runs, r)
	}
	return c, nil
}

// ended tells whether every stage start of the run in the stream has an end, or the run itself has.
func ended(body []byte, runID string) bool {
	open := map[string]bool{}
	for _, line := range bytes.Split(body, []byte("\n")) {
		if !bytes.Contains(line, []byte(runID)) {
			continue
		}
		switch {
		case bytes.Contains(line, []byte(`"pipeline.wide"`)):
			return true
		case bytes.Contains(line, []byte(`.started"`)):
			open[stageOf(line)] = true
		default:
			delete(open, stageOf(line))
		}
	}
	return len(open) == 0
}

// toldStages are the stages that lifecycle events, wide events and the run's wide event tell of.
func toldStages(body []byte, runID string) map[string]bool {
	told := map[string]bool{}
	for line := range bytes.Lines(body) {
		var e struct {
			Type string
			Data struct {
				RunID   any `json:"pipeline_run_id"`
				Stage   *string
				Details []struct{ Stage string } `json:"stage_details"`
			}
		}
		if json.Unmarshal(line, &e) != nil || e.Data.RunID != runID {
			continue // not strict JSON, or another run's
		}
		if e.Data.Stage != nil && strings.HasPrefix(e.Type, "stage.") && !strings.HasPrefix(e.Type, "stage.retry_") {
			told[*e.Data.Stage] = true
		}
		for _, d := range e.Data.Details {
			told[d.Stage] = true
		}
	}
	return told
}

func stageOf(line []byte) string {
	var e struct {
		Data struct{ Stage string } `json:"data"`
	}
	_ = json.Unmarshal(line, &e) // a line without a stage has the stage ""
	return e.Data.Stage
}
