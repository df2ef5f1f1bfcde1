// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	_ "embed"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

//go:embed testdata/stream_vectors.json
var streamVectorsFile []byte

type streamVectors struct {
	Queues []struct {
		Name    string
		Size    int
		Drop    bool
		Windows bool
		Steps   []streamStep
	}
	Buffers []struct {
		Name           string
		Rate, Channels int
		MaxMS          int `json:"max_ms"`
		Steps          []streamStep
	}
}

type streamStep struct {
	Op     string
	N      float64
	Events []streamTold
}

type streamTold struct {
	Type string
	Data map[string]any
}

func readStreamVectors(t *testing.T) (v streamVectors) {
	t.Helper()
	require.NoError(t, json.Unmarshal(streamVectorsFile, &v))
	require.NotEmpty(t, v.Queues)
	require.NotEmpty(t, v.Buffers)
	return v
}

// told is what a stream told, as JSON has it and without the field that the framework does not have.
func told(t *testing.T, events []event, name string) (out []streamTold) {
	t.Helper()
	for _, e := range events {
		assert.Equal(t, name, e.data[fieldQueue], e.eventType)
		delete(e.data, fieldQueue)
		for k, v := range e.data {
			if n, ok := v.(int64); ok {
				e.data[k] = float64(n)
			}
		}
		out = append(out, streamTold{e.eventType, e.data})
	}
	return out
}

func without(events []streamTold, types ...string) (out []streamTold) {
next:
	for _, e := range events {
		for _, eventType := range types {
			if e.Type == eventType {
				continue next
			}
		}
		out = append(out, e)
	}
	return out
}

func countOf(events []streamTold, eventType string) int {
	return len(events) - len(without(events, eventType))
}

// The framework looks at a window's end only when something is put, so ends are compared by their number: never later
// here than there.
func TestQueuesTellWhatTheFrameworkTells(t *testing.T) {
	for _, v := range readStreamVectors(t).Queues {
		t.Run(v.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s, k := newTestClient(t)
				opts := []ChunkQueueOption{WithQueueSize(v.Size), WithEventSink(c)}
				if v.Drop {
					opts = append(opts, WithDropOnOverflow())
				}
				q := NewChunkQueue[int](t.Context(), "audio", opts...)
				seen, theirEnds, ourEnds := 0, 0, 0
				for i, step := range v.Steps {
					switch step.Op {
					case "put":
						go func() { _ = q.Put(t.Context(), i) }()
					case "get":
						_, err := q.Get(t.Context())
						require.NoError(t, err)
					case "pass":
						k.pass(time.Duration(step.N * float64(time.Millisecond)))
					case "close":
						q.Close()
					default:
						t.Fatal(step.Op)
					}
					synctest.Wait()
					all := s.all()
					got := told(t, all[seen:], "audio")
					seen = len(all)

					theirEnds += countOf(step.Events, semconv.TypeStreamThrottleEnded)
					ourEnds += countOf(got, semconv.TypeStreamThrottleEnded)
					assert.GreaterOrEqual(t, ourEnds, theirEnds, "step %d", i)
					skip := []string{semconv.TypeStreamThrottleEnded}
					if !v.Windows {
						skip = append(skip, semconv.TypeStreamThrottleStarted)
					}
					require.Equal(t, without(step.Events, skip...), without(got, skip...), "step %d: %s", i, step.Op)
				}
			})
		})
	}
}

func TestBuffersTellWhatTheFrameworkTells(t *testing.T) {
	for _, v := range readStreamVectors(t).Buffers {
		t.Run(v.Name, func(t *testing.T) {
			c, s, _ := newTestClient(t)
			b := NewStreamingBuffer(t.Context(), "speaker", WithEventSink(c), WithSampleRate(v.Rate), WithChannels(v.Channels),
				WithMaxDuration(time.Duration(v.MaxMS)*time.Millisecond))
			seen := 0
			for i, step := range v.Steps {
				p := make([]byte, int(step.N))
				switch step.Op {
				case "write":
					_, _ = b.Write(p)
				case "read":
					_, _ = b.Read(p)
				default:
					t.Fatal(step.Op)
				}
				all := s.all()
				require.Equal(t, step.Events, told(t, all[seen:], "speaker"), "step %d: %s", i, step.Op)
				seen = len(all)
			}
		})
	}
}
