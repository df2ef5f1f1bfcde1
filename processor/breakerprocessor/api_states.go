// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breakerprocessor

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stageflow/otelcol-stageflow/sdk/breaker"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

const (
	// maxAPIWait is how long a request may wait for a change.
	maxAPIWait = time.Minute
	// answerWithin is what the answer itself may take beyond that.
	answerWithin = 10 * time.Second

	openAPIPath = "/v1/openapi.yaml"
)

//go:embed openapi.yaml
var openAPI []byte

func (a *api) describe(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(openAPI)
}

func (a *api) list(w http.ResponseWriter, r *http.Request) {
	a.answer(w, r, func(now time.Time) (any, string, time.Duration) {
		snapshots := a.breakers.List(now)
		states := breaker.APIStates{Breakers: make([]breaker.APIState, 0, len(snapshots))}
		tag, next := sha256.New(), time.Duration(0)
		for i := range snapshots {
			s := &snapshots[i]
			states.Generation += s.Generation
			states.Breakers = append(states.Breakers, apiState(s))
			writeTag(tag, s)
			next = earlier(next, s.RetryAfter)
		}
		return states, etagOf(tag), next
	})
}

func (a *api) one(w http.ResponseWriter, r *http.Request) {
	key := keyOf(r)
	a.answer(w, r, func(now time.Time) (any, string, time.Duration) {
		s := a.breakers.StateAt(key, now)
		tag := sha256.New()
		writeTag(tag, &s)
		return apiState(&s), etagOf(tag), s.RetryAfter
	})
}

func keyOf(r *http.Request) breaker.Key {
	return breaker.Key{Operation: r.PathValue("operation"), Provider: r.PathValue("provider")}
}

// answer sends what read gives. A client that has it already and says for how long it would wait is answered when a
// state changes, by an outcome or because a breaker has been open for its time.
func (a *api) answer(w http.ResponseWriter, r *http.Request, read func(now time.Time) (body any, etag string, next time.Duration)) {
	wait, err := waitOf(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	// The server's own limit is for clients that read slowly.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(wait + answerWithin))
	over := time.NewTimer(wait)
	defer over.Stop()
	for {
		changed := a.changes.next()
		body, etag, next := read(a.now())
		w.Header().Set("ETag", etag)
		if !has(r, etag) {
			respond(w, http.StatusOK, body)
			return
		}
		if !a.pause(r.Context(), changed, next, over.C) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
}

// pause waits until something may have changed: told so, or because a breaker's time is over. False: waited enough.
func (a *api) pause(ctx context.Context, changed <-chan struct{}, next time.Duration, over <-chan time.Time) bool {
	var byClock <-chan time.Time
	if next > 0 {
		t := time.NewTimer(next)
		defer t.Stop()
		byClock = t.C
	}
	select {
	case <-changed:
		return true
	case <-byClock:
		return true
	case <-over:
	case <-a.closing:
	case <-ctx.Done():
	}
	return false
}

// waitOf is the query parameter wait, at most a minute.
func waitOf(r *http.Request) (time.Duration, error) {
	text := r.URL.Query().Get(breaker.APIWait)
	if text == "" {
		return 0, nil
	}
	wait, err := time.ParseDuration(text)
	if err != nil || wait < 0 {
		return 0, fmt.Errorf("%s is %q: want a duration, such as 30s", breaker.APIWait, text)
	}
	return min(wait, maxAPIWait), nil
}

// has tells whether the client has what is named by etag (RFC 9110, If-None-Match).
func has(r *http.Request, etag string) bool {
	for given := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		given = strings.TrimPrefix(strings.TrimSpace(given), "W/")
		if given == etag || given == "*" {
			return true
		}
	}
	return false
}

func apiState(s *breaker.Snapshot) breaker.APIState {
	out := breaker.APIState{
		Key: s.Key.String(), Operation: s.Key.Operation, Provider: s.Key.Provider,
		State: s.State, FailureRatio: s.FailureRatio, Calls: s.Calls, Generation: s.Generation,
	}
	if !s.OpenedAt.IsZero() {
		at := s.OpenedAt.UTC()
		out.OpenedAt = &at
	}
	if s.State == semconv.BreakerOpen {
		out.RetryAfterMS = max((s.RetryAfter + time.Millisecond - 1).Milliseconds(), 0)
	}
	return out
}

// writeTag adds what makes a state another one: counts go on all the time, and a client that waits need not know.
func writeTag(tag interface{ Write([]byte) (int, error) }, s *breaker.Snapshot) {
	_, _ = fmt.Fprintf(tag, "%q %q %s %d %d\n", s.Key.Operation, s.Key.Provider, s.State, s.Generation, s.OpenedAt.UnixNano())
}

func etagOf(tag interface{ Sum([]byte) []byte }) string {
	return `"` + hex.EncodeToString(tag.Sum(nil)[:12]) + `"`
}

func earlier(a, b time.Duration) time.Duration {
	if a <= 0 || (b > 0 && b < a) {
		return b
	}
	return a
}

// modes are what a breaker can be forced to.
var modes = map[string]breaker.Mode{"forced_open": breaker.ForceOpen, "forced_closed": breaker.ForceClosed, "auto": breaker.Auto}

// force makes a breaker open or closed whatever its calls say, or lets them decide again. It changes what pipelines do,
// so it needs somebody who is known.
func (a *api) force(w http.ResponseWriter, r *http.Request) {
	if !a.cfg.Auth.HasValue() {
		refuse(w, http.StatusForbidden, "breakers can be forced only where api::auth is configured")
		return
	}
	const longest = 1 << 10
	var body struct {
		Mode string `json:"mode"`
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, longest))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&body)
	mode, ok := modes[body.Mode]
	if err != nil || !ok {
		refuse(w, http.StatusBadRequest, `want {"mode": "…"} with one of `+strings.Join(slices.Sorted(maps.Keys(modes)), ", "))
		return
	}
	key, now := keyOf(r), a.now()
	t, err := a.breakers.Force(key, mode, now)
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	if t.From != t.To {
		a.changed(r.Context(), key, t)
	}
	a.changes.tell()
	s := a.breakers.StateAt(key, now)
	respond(w, http.StatusOK, apiState(&s))
}

func respond(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client went away
}

func refuse(w http.ResponseWriter, status int, why string) {
	respond(w, status, struct {
		Error string `json:"error"`
	}{why})
}
