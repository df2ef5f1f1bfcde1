// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sharedredis

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stageflow/otelcol-stageflow/sdk/breaker"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// record is what Redis keeps of one breaker, as JSON.
type record struct {
	Epoch       number                      `json:"epoch"`
	LastSuccess number                      `json:"last_success,omitempty"`
	Streak      []number                    `json:"streak,omitempty"`
	Phase       *phase                      `json:"phase,omitempty"`
	Probes      *probes                     `json:"probes,omitempty"`
	Buckets     map[int64][countsLen]uint32 `json:"buckets,omitempty"` // successes, failures, slow, not permitted
}

const countsLen = 4

type phase struct {
	Generation number               `json:"generation"`
	At         number               `json:"at"`
	Source     string               `json:"source"`
	State      semconv.BreakerState `json:"state"`
	Until      number               `json:"until"`
	Openings   uint32               `json:"openings"`
}

type probes struct {
	Generation number `json:"generation"`
	Successes  uint32 `json:"successes"`
}

// number is a whole number, or a time in nanoseconds since 1970, in as many digits as every other: the order of texts is
// that of the numbers. "" is no time.
type number string

func numberOf(n uint64) number { return number(fmt.Sprintf("%020d", n)) }

func (n number) uint() uint64 {
	u, _ := strconv.ParseUint(string(n), 10, 64)
	return u
}

func timeNumber(t time.Time) number {
	if t.IsZero() {
		return ""
	}
	return numberOf(uint64(max(t.UnixNano(), 0))) //nolint:gosec // not negative
}

func (n number) time() time.Time {
	if n == "" {
		return time.Time{}
	}
	return time.Unix(0, int64(min(n.uint(), 1<<62))).UTC() //nolint:gosec // bounded
}

func encode(s *breaker.Shared) ([]byte, error) {
	r := record{Epoch: numberOf(s.Epoch), LastSuccess: timeNumber(s.LastSuccess)}
	for _, t := range s.Streak {
		r.Streak = append(r.Streak, timeNumber(t))
	}
	if p := &s.Phase; p.State != "" {
		r.Phase = &phase{numberOf(p.Generation), timeNumber(p.At), p.Source, p.State, timeNumber(p.Until), p.Openings}
	}
	if p := s.Probes; p.Successes > 0 {
		r.Probes = &probes{numberOf(p.Generation), p.Successes}
	}
	if len(s.Buckets) > 0 {
		r.Buckets = make(map[int64][countsLen]uint32, len(s.Buckets))
		for _, b := range s.Buckets {
			r.Buckets[b.Bucket] = [...]uint32{b.Counts.Successes, b.Counts.Failures, b.Counts.Slow, b.Counts.NotPermitted}
		}
	}
	return json.Marshal(r)
}

func decode(key breaker.Key, text string) (s breaker.Shared, err error) {
	var r record
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return s, err
	}
	s = breaker.Shared{Key: key, Epoch: r.Epoch.uint(), LastSuccess: r.LastSuccess.time()}
	for _, n := range r.Streak {
		s.Streak = append(s.Streak, n.time())
	}
	if p := r.Phase; p != nil {
		s.Phase = breaker.Phase{
			State: p.State, At: p.At.time(), Until: p.Until.time(),
			Generation: p.Generation.uint(), Openings: p.Openings, Source: p.Source,
		}
	}
	if p := r.Probes; p != nil {
		s.Probes = breaker.Probes{Generation: p.Generation.uint(), Successes: p.Successes}
	}
	for bucket, c := range r.Buckets {
		s.Buckets = append(s.Buckets, breaker.BucketCounts{
			Bucket: bucket, Counts: breaker.Counts{Successes: c[0], Failures: c[1], Slow: c[2], NotPermitted: c[3]},
		})
	}
	slices.SortFunc(s.Buckets, func(a, b breaker.BucketCounts) int { return cmp.Compare(a.Bucket, b.Bucket) })
	return s, nil
}

// fieldOf names a breaker in Redis. The length tells where the operation ends, whatever the names are.
func fieldOf(k breaker.Key) string {
	return strconv.Itoa(len(k.Operation)) + ":" + k.String()
}

func keyOf(field string) (breaker.Key, bool) {
	length, names, ok := strings.Cut(field, ":")
	n, err := strconv.Atoi(length)
	if !ok || err != nil || n < 0 || n >= len(names) || names[n] != '/' {
		return breaker.Key{}, false
	}
	return breaker.Key{Operation: names[:n], Provider: names[n+1:]}, true
}
