// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runmetrics

import (
	"sync"
	"time"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// T keeps the metrics from the start of the receiver on. It is safe for concurrent use.
type T struct {
	start time.Time

	mu sync.Mutex
	// tables are in the order of [semconv.Metrics], byName are the same.
	tables []*table
	byName map[string]*table
}

// Fact is what one event adds to one metric. It holds no view of the event's record, so it can wait until it is known
// whether the record is taken: a batch that is refused comes again.
type Fact struct {
	metric string
	key    key
	// n is what is added or measured, in the table's steps; level is what a gauge shows.
	n     int64
	level float64
}

// Service is the service that the fact is of, "" when neither the event nor its resource named one.
func (f *Fact) Service() string { return f.key.service }

// SetService says whose the fact is.
func (f *Fact) SetService(service string) { f.key.service = clean(service) }

// State is what the assembly knows at one moment. Services are named as on spans; "" is
// [semconv.DefaultServiceName].
type State struct {
	// Active counts the runs in flight by service. A service that is left out has none.
	Active map[string]int64
	// Abandoned counts the runs given up since the receiver started, by service. It never falls.
	Abandoned map[string]int64
	// InFlight are the provider calls that have started and not ended.
	InFlight map[CallKey]Calls
}

// CallKey tells provider calls apart; "" is a part that no event told.
type CallKey struct {
	Service   string
	Operation string
	Provider  string
}

// Calls are provider calls in flight.
type Calls struct {
	Count int64
	// Oldest is the start of the one that began first, zero when no event told a time.
	Oldest time.Time
}

// New returns metrics whose sums begin at start.
func New(start time.Time) *T { return newLimited(start, maxSeries) }

func newLimited(start time.Time, limit int) *T {
	t := &T{start: start, byName: map[string]*table{}}
	for _, m := range semconv.Metrics {
		tb := &table{Metric: m, step: 1, limit: limit, series: map[key]*series{}}
		t.tables, t.byName[m.Name] = append(t.tables, tb), tb
	}
	t.byName[semconv.MetricStreamBlockedDuration].step = float64(time.Second)
	return t
}

// Add takes events into account.
func (t *T) Add(facts []Fact) {
	if len(facts) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range facts {
		f := &facts[i]
		tb := t.byName[f.metric]
		switch s := tb.at(f.key); tb.Kind {
		case semconv.Histogram:
			s.measure(tb, f.n)
		case semconv.Gauge:
			s.raise(f.level)
		default:
			s.add(f.n)
		}
	}
}

// Facts appends to dst what an event says of metrics, attrs are its attributes, and of a call's end those of its start. The
// event's own service goes before service, which is the resource's. Values that make no sense (negative, no number)
// count as not told.
func Facts(dst []Fact, e *event.Event, service string, told []event.Told) []Fact {
	switch e.Name {
	case semconv.EventCallEnded:
		return callEnded(dst, e, service, told)
	case semconv.EventStreamChunkDropped:
		return chunkDropped(dst, e, service, told)
	case semconv.EventStreamProducerBlocked:
		if d, ok := e.Duration("blocked_ms"); ok {
			dst = append(dst, Fact{metric: semconv.MetricStreamBlockedDuration, key: streamKey(e, service, told), n: int64(d)})
		}
	case semconv.EventStreamThrottleStarted, semconv.EventStreamThrottleEnded:
		if percent, ok := e.Double("fill_percentage"); ok {
			dst = fill(dst, streamKey(e, service, told), percent, 100)
		}
	case semconv.EventStreamBufferOverflow:
		if n, ok := e.Int("bytes_dropped"); ok && n > 0 {
			dst = append(dst, Fact{metric: semconv.MetricStreamBytesDropped, key: streamKey(e, service, told), n: n})
		}
	case semconv.EventStreamBufferUnderrun:
		dst = append(dst, Fact{metric: semconv.MetricStreamUnderruns, key: streamKey(e, service, told), n: 1})
	}
	// stream.queue_closed repeats what the queue's other events told one by one, and does so again on every further
	// close (catalogue 1.7): it adds nothing.
	return dst
}

// callEnded takes what was told of tokens. None used is what the framework's responses say when they do not know
// (catalogue 2.6), so a zero is not told.
func callEnded(dst []Fact, e *event.Event, service string, told []event.Told) []Fact {
	input, output := count(told, semconv.GenAIInputTokensKey), count(told, semconv.GenAIOutputTokensKey)
	if input == 0 && output == 0 {
		return dst
	}
	k := keyOf(serviceOf(e, service),
		text(told, semconv.GenAIOperationNameKey), text(told, semconv.GenAIProviderNameKey), text(told, semconv.GenAIRequestModelKey))
	if input > 0 {
		k.values[3] = semconv.TokenTypeInput
		dst = append(dst, Fact{metric: semconv.MetricTokenUsage, key: k, n: input})
	}
	if output > 0 {
		k.values[3] = semconv.TokenTypeOutput
		dst = append(dst, Fact{metric: semconv.MetricTokenUsage, key: k, n: output})
	}
	return dst
}

func chunkDropped(dst []Fact, e *event.Event, service string, told []event.Told) []Fact {
	k, reason := streamKey(e, service, told), e.Text("reason")
	size, sized := e.Double("queue_size")
	capacity, capped := e.Double("max_size")
	if sized && capped && size >= 0 {
		if reason == semconv.StreamDropOverflow {
			size++ // The size was told between the oldest chunk's going and the new one's coming.
		}
		dst = fill(dst, k, size, capacity)
	}
	k.values[3] = clean(reason)
	return append(dst, Fact{metric: semconv.MetricStreamDropped, key: k, n: 1})
}

// fill tells how full a queue was.
func fill(dst []Fact, k key, size, capacity float64) []Fact {
	if size < 0 || capacity <= 0 {
		return dst
	}
	return append(dst, Fact{metric: semconv.MetricStreamQueueUse, key: k, level: min(size/capacity, 1)})
}

// take puts what the assembly knows in the place of what it knew before. Series stay, at zero: one that vanished
// would be remembered at its last value.
func (t *T) take(now time.Time, s State) {
	active, abandoned := t.byName[semconv.MetricRunActive], t.byName[semconv.MetricRunAbandoned]
	inFlight, oldest := t.byName[semconv.MetricCallInFlight], t.byName[semconv.MetricCallOldestAge]
	for _, tb := range []*table{active, abandoned, inFlight, oldest} {
		for _, old := range tb.series {
			*old = series{told: true}
		}
	}
	for service, n := range s.Active {
		active.at(keyOf(service)).add(n)
	}
	for service, n := range s.Abandoned {
		abandoned.at(keyOf(service)).add(n)
	}
	for call, c := range s.InFlight {
		k := keyOf(call.Service, clean(call.Operation), clean(call.Provider))
		inFlight.at(k).add(c.Count)
		age := 0.0
		if !c.Oldest.IsZero() && c.Count > 0 {
			age = max(now.Sub(c.Oldest).Seconds(), 0)
		}
		oldest.at(k).raise(age)
	}
}

// streamKey is the series of a stream: its events name neither queue nor channel.
func streamKey(e *event.Event, service string, told []event.Told) key {
	return keyOf(serviceOf(e, service),
		text(told, semconv.GenAIWorkflowNameKey), text(told, semconv.RunTopologyKey), clean(e.StageName()))
}

// serviceOf is as in the assembly, so that spans and metrics name the same service.
func serviceOf(e *event.Event, service string) string {
	if own := e.Text("service"); own != "" {
		return own
	}
	return service
}

// count is an attribute that counts something, 0 when it does not.
func count(told []event.Told, name string) int64 {
	n, _ := event.Find(told, name).AsInt()
	return max(n, 0)
}

func text(told []event.Told, name string) string {
	v := event.Find(told, name)
	if v.IsNull() {
		return ""
	}
	return clean(v.AsText())
}
