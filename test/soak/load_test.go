// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	stages = 6
	// eventsPerRun are a start and an end of the run and of every stage.
	eventsPerRun = 2*stages + 2
)

// load is a stream of events as the Python library writes them: that of a number of runs.
type load struct {
	random *rand.Rand
	clock  time.Time
	runs   []run
}

type run struct {
	id, request, session, user, org string
	start                           time.Time
}

// betweenEvents is how far the events of a load are apart.
const betweenEvents = 13 * time.Microsecond

// newLoad is of n runs of which some events have been told. The same number gives the same runs.
func newLoad(number uint64, n, told int) *load {
	l := &load{random: rand.New(rand.NewPCG(number, 0)), runs: make([]run, n)} //nolint:gosec // to be repeated
	l.clock = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC).Add(time.Duration(number) * time.Second)
	for i := range l.runs {
		l.runs[i] = run{id: l.uuid(), request: l.uuid(), session: l.uuid(), user: l.uuid(), org: l.uuid(), start: l.clock}
	}
	l.clock = l.clock.Add(time.Duration(told*n) * betweenEvents)
	return l
}

func (l *load) uuid() string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], l.random.Uint64())
	binary.BigEndian.PutUint64(b[8:], l.random.Uint64())
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// appendEvent writes the nth event of every run, a line each.
func (l *load) appendEvent(body []byte, n int) []byte {
	for i := range l.runs {
		r := &l.runs[i]
		l.clock = l.clock.Add(betweenEvents)
		switch n {
		case 0:
			body = fmt.Appendf(body, `{"type": "pipeline.started", "data": {"pipeline_run_id": %q, "pipeline_name": "chat_pipeline", "topology": "chat_fast", "execution_mode": "practice", "user_id": %q, "session_id": %q, "org_id": %q, "request_id": %q, "service": "chat"`,
				r.id, r.user, r.session, r.org, r.request)
		case eventsPerRun - 1:
			body = fmt.Appendf(body, `{"type": "pipeline.completed", "data": {"pipeline_run_id": %q, "pipeline_name": "chat_pipeline", "duration_ms": %d, "status": "completed", "stage_results": {"guard": "ok", "llm": "ok"}`,
				r.id, l.clock.Sub(r.start).Milliseconds())
		default:
			stage, status, duration := (n-1)/2, "started", ""
			if n%2 == 0 {
				status, duration = "completed", `, "duration_ms": 1`
			}
			body = fmt.Appendf(body, `{"type": "stage.stage_%d.%s", "data": {"request_id": %q, "session_id": %q, "user_id": %q, "org_id": %q, "service": "chat", "stage": "stage_%d", "status": %q, "timestamp": %q, "topology": "chat_fast", "execution_mode": "practice"%s, "pipeline_run_id": %q`,
				stage, status, r.request, r.session, r.user, r.org, stage, status, l.clock.Format("2006-01-02T15:04:05.000000+00:00"), duration, r.id)
		}
		body = fmt.Appendf(body, `}, "emitted_at": %q}`+"\n", l.clock.Format(time.RFC3339Nano))
	}
	return body
}
