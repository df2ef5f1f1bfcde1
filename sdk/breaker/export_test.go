// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// busy is a registry with something of everything.
func busy(t testing.TB) *Registry {
	r := tripped(t)
	for i := range 4 {
		r.Record(provider("failing"), Outcome{Start: at(1), End: at(float64(2 + i)), RetryAfter: time.Minute}, later)
	}
	r.Record(provider("rejected"), Outcome{End: at(3), NotPermitted: true}, later)
	for i := range 2 {
		r.Record(provider("healing"), call(float64(i), false), later)
	}
	_, err := r.Force(provider("forced"), ForceOpen, at(4))
	require.NoError(t, err)
	r.Delta()
	r.Apply([]Shared{{
		Key: provider("shared"), Phase: Phase{State: semconv.BreakerOpen, Generation: 7, At: at(3), Until: at(60), Source: "other"},
		Buckets: []BucketCounts{{entryBucket(r, at(1)), Counts{Successes: 3, Failures: 4, Slow: 2, NotPermitted: 1}}},
	}}, later)
	return r
}

func TestRestore(t *testing.T) {
	r := busy(t)
	state := r.Export()
	got := New(plain())
	quietly(t, got, call(1, true))
	require.NoError(t, got.Restore(state))
	assert.Equal(t, r.List(at(10)), got.List(at(10)))
	assert.Equal(t, r.Stats().Forced, got.Stats().Forced)
	_, changed := got.Record(provider("failing"), call(6, false), later)
	assert.True(t, changed, "the fifth in a row")
	assert.Equal(t, 59*time.Second, got.StateAt(provider("failing"), at(6)).RetryAfter, "the provider asked for it")

	t.Run("half-open", func(t *testing.T) {
		r := tripped(t)
		quietly(t, r, call(40, true), call(38, true))
		got := New(plain())
		require.NoError(t, got.Restore(r.Export()))
		tr, changed := tell(got, call(37, true))
		assert.True(t, changed)
		assert.Equal(t, at(40), tr.At)
	})
	t.Run("of another shape", func(t *testing.T) {
		got := New(Settings{Buckets: 6, Jitter: -1})
		require.NoError(t, got.Restore(state))
		snap := got.StateAt(chat, at(10))
		assert.Equal(t, semconv.BreakerOpen, snap.State)
		assert.Zero(t, snap.Calls)
	})
	t.Run("fewer keys", func(t *testing.T) {
		got := New(Settings{MaxKeys: 2, Jitter: -1})
		require.NoError(t, got.Restore(state))
		assert.Equal(t, 2, got.Len())
		assert.True(t, got.IsOpen(provider("forced"), at(10)), "what is forced comes first")
	})
	t.Run("small", func(t *testing.T) {
		r := New(plain())
		for i := range 100 {
			for s := range 10 {
				r.Record(provider(fmt.Sprintf("provider-%02d", i)), call(float64(s), true), later)
			}
		}
		assert.Less(t, len(r.Export())/100, 64, "bytes a key")
	})
}

func TestRestoreRefuses(t *testing.T) {
	state := busy(t).Export()
	sealed := func(b []byte) []byte { return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b)) }
	body := state[:len(state)-4]
	newer := append([]byte{}, body...)
	newer[len(magic)] = exportVersion + 1
	flipped := append([]byte{}, state...)
	flipped[len(flipped)/2] ^= 1
	for name, tt := range map[string]struct {
		state []byte
		want  error
	}{
		"nothing":             {nil, ErrCorrupt},
		"something else":      {[]byte(`{"breakers":[]}`), ErrCorrupt},
		"a newer version":     {sealed(newer), ErrVersion},
		"only a version":      {[]byte(magic + "\x01"), ErrCorrupt},
		"a part":              {state[:len(state)/2], ErrCorrupt},
		"a part with its sum": {sealed(append([]byte{}, body[:len(body)-3]...)), ErrCorrupt},
		"too much":            {sealed(append(append([]byte{}, body...), 0)), ErrCorrupt},
		"another bit":         {flipped, ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			r := tripped(t)
			require.ErrorIs(t, r.Restore(tt.state), tt.want)
			assert.Equal(t, tripped(t).List(at(9)), r.List(at(9)), "it is as before")
		})
	}
}

func TestLawful(t *testing.T) {
	for name, spoil := range map[string]func(m *machine){
		"mode":                   func(m *machine) { m.mode = 3 },
		"end before the start":   func(m *machine) { m.phase.until = m.phase.at - 1 },
		"open the 0th time":      func(m *machine) { m.phase.openings = 0 },
		"closed for no reason":   func(m *machine) { m.phase = phase{at: 5, until: never} },
		"streak":                 func(m *machine) { m.streak = []int64{2, 1} },
		"counts from the future": func(m *machine) { m.epoch = 9 },
		"span without state":     func(m *machine) { m.spans[0].state = 9 },
		"spans in no order":      func(m *machine) { m.spans = append(m.spans, m.spans[0]) },
	} {
		t.Run(name, func(t *testing.T) {
			r := tripped(t)
			require.True(t, entryOf(r, chat).lawful())
			spoil(&entryOf(r, chat).machine)
			assert.False(t, entryOf(r, chat).lawful())
			require.ErrorIs(t, New(plain()).Restore(r.Export()), ErrCorrupt)
		})
	}
}

func FuzzRestore(f *testing.F) {
	f.Add([]byte{})
	for _, r := range []*Registry{New(plain()), tripped(f), busy(f)} {
		b := r.Export()
		f.Add(b[len(magic)+1 : len(b)-4])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		_ = New(plain()).Restore(body)
		state := append([]byte(magic), exportVersion)
		state = append(state, body...)
		state = binary.BigEndian.AppendUint32(state, crc32.ChecksumIEEE(state))
		for _, s := range []Settings{plain(), {Buckets: 3, MaxKeys: 1, ConsecutiveFailures: 1}} {
			r := New(s)
			if r.Restore(state) != nil {
				assert.Zero(t, r.Len())
				continue
			}
			again := New(s)
			require.NoError(t, again.Restore(r.Export()))
			for _, snap := range append(r.List(at(5)), Snapshot{Key: chat}) {
				for i := range 12 {
					now := at(float64(10 * i))
					r.Release(snap.Key, r.Allow(snap.Key, now))
					o := Outcome{Start: now, End: now.Add(time.Second), Success: i < 4, RetryAfter: time.Second}
					x, xok := r.Record(snap.Key, o, now)
					y, yok := again.Record(snap.Key, o, now)
					require.Equal(t, x, y)
					require.Equal(t, xok, yok)
				}
				mode := Mode(len(body) % 3)
				x, xerr := r.Force(snap.Key, mode, at(200))
				y, yerr := again.Force(snap.Key, mode, at(200))
				require.Equal(t, x, y)
				require.Equal(t, xerr, yerr)
			}
			again.Apply(r.Delta(), at(300))
			r.List(at(1e6))
		}
	})
}
