// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// madeRun is a run that a sender made up: its events, and what the run log must say of it, a line for each row.
type madeRun struct {
	id     string
	events [][]byte
	rows   []string
	spans  []string
}

// runMaker writes the events of a run and what must become of them.
type runMaker struct {
	*madeRun
	random *rand.Rand
	clock  time.Time
}

// noon is when made-up runs begin.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// newRun makes up a run of several stages, each with its provider calls, that completes, fails or is cancelled.
func newRun(random *rand.Rand, id string, at time.Time) *madeRun {
	m := &runMaker{madeRun: &madeRun{id: id}, random: random, clock: at}
	status, last := semconv.StatusCompleted, 3+random.IntN(3)
	switch n := random.IntN(10); {
	case n < 2:
		status, last = semconv.StatusFailed, 1+random.IntN(last)
	case n < 4:
		status, last = semconv.StatusCancelled, 1+random.IntN(last)
	}
	begin := m.tell("pipeline.started", map[string]any{"pipeline_name": "chat", "topology": "fast", "user_id": "u-" + id, "session_id": "s-" + id})
	for i := range last {
		how := semconv.StatusCompleted
		if i == last-1 {
			how = status
		}
		m.stage(fmt.Sprintf("stage-%d", i), how)
	}
	end := map[string]any{"pipeline_name": "chat", "duration_ms": m.clock.Add(time.Millisecond).Sub(begin).Milliseconds(), "status": string(status)}
	failed := "<nil>"
	if status == semconv.StatusFailed {
		failed = fmt.Sprintf("stage-%d", last-1)
		end["error"], end["stage"] = "429 rate limited", failed
	}
	m.row("run", semconv.RunSpanID(id), begin, m.tell("pipeline."+string(status), end), "chat", status, semconv.EndExplicit, failed)
	return m.madeRun
}

func (m *runMaker) stage(name string, status semconv.Status) {
	begin := m.tellStage(name, "started", map[string]any{})
	calls := m.random.IntN(3)
	for i := range calls {
		m.call(fmt.Sprintf("%s-%s-%d", m.id, name, i), name, i < calls-1 || status != semconv.StatusFailed)
	}
	data := map[string]any{"duration_ms": m.clock.Add(time.Millisecond).Sub(begin).Milliseconds()}
	if status == semconv.StatusFailed {
		data["error"] = "429 rate limited"
	}
	m.row("stage", semconv.StageSpanID(m.id, name, 1), begin, m.tellStage(name, string(status), data), name, 1, status)
}

func (m *runMaker) call(id, stage string, success bool) {
	begin := m.tell("provider_call.started", map[string]any{"call_id": id, "operation": "chat", "provider": "mock", "model_id": "m"})
	data := map[string]any{"call_id": id, "success": success, "latency_ms": 1, "tokens_in": 10, "tokens_out": 20}
	if !success {
		data["error"] = "429 rate limited"
	}
	m.row("call", semconv.CallSpanID(m.id, id), begin, m.tell("provider_call.ended", data), id, stage, map[bool]int{true: 1}[success])
}

func (m *runMaker) tellStage(name, status string, data map[string]any) time.Time {
	data["stage"], data["status"], data["timestamp"] = name, status, m.clock.Add(time.Millisecond).Format(time.RFC3339Nano)
	return m.tell(semconv.StageType(name, status), data)
}

// tell writes an event, a millisecond after the one before.
func (m *runMaker) tell(eventType string, data map[string]any) time.Time {
	m.clock = m.clock.Add(time.Millisecond)
	data["pipeline_run_id"], data["request_id"], data["service"] = m.id, "q-"+m.id, "made-up"
	line, err := json.Marshal(map[string]any{"type": eventType, "data": data, "emitted_at": m.clock.Format(time.RFC3339Nano)})
	if err != nil {
		panic(err)
	}
	m.events = append(m.events, line)
	return m.clock
}

func (m *runMaker) row(kind string, span [8]byte, begin, end time.Time, more ...any) {
	times := begin.Format(storedTime) + " " + end.Format(storedTime)
	m.rows = append(m.rows, fmt.Sprintln(append([]any{kind, m.id, times}, more...)...))
	m.spans = append(m.spans, fmt.Sprintf("%x %s %s", span, m.id, times))
}

// storedTime is how the run log writes a time.
const storedTime = "2006-01-02T15:04:05.000000Z"

// sender posts events of several runs that go on at once, as an application with a buffer does.
type sender struct {
	name   string
	random *rand.Rand
	clock  time.Time
	runs   []*madeRun
	open   []*madeRun
	// unanswered is the request that has to be sent again, as it was.
	unanswered []byte
	// numbered senders give every event a number of its own.
	numbered bool
	seq      int
}

// next is the next request: one that was not acknowledged, or new events. Without more, no further run is begun, and
// nil says that there is nothing left to tell.
func (s *sender) next(more bool) []byte {
	if s.unanswered != nil {
		return s.unanswered
	}
	var body bytes.Buffer
	for range 1 + s.random.IntN(20) {
		if more && len(s.open) < 6 {
			r := newRun(s.random, fmt.Sprintf("%s-%d", s.name, len(s.runs)), s.clock)
			s.clock = s.clock.Add(time.Millisecond)
			s.runs = append(s.runs, r)
			s.open = append(s.open, &madeRun{events: r.events})
		}
		if len(s.open) == 0 {
			break
		}
		i := s.random.IntN(len(s.open))
		s.write(&body, s.open[i].events[0])
		if s.open[i].events = s.open[i].events[1:]; len(s.open[i].events) == 0 {
			s.open = slices.Delete(s.open, i, i+1)
		}
	}
	if body.Len() > 0 {
		s.unanswered = body.Bytes()
	}
	return s.unanswered
}

func (s *sender) write(body *bytes.Buffer, event []byte) {
	if s.numbered {
		s.seq++
		fmt.Fprintf(body, `{"sink_id":%q,"seq":%d,`, s.name, s.seq)
		event = event[1:]
	}
	body.Write(event)
	body.WriteByte('\n')
}
