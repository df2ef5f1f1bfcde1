// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sharedredis

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/stageflow/otelcol-stageflow/internal/redistest"
	"github.com/stageflow/otelcol-stageflow/sdk/breaker"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	chat  = breaker.Key{Operation: "chat", Provider: "openai"}
)

func at(seconds float64) time.Time { return epoch.Add(time.Duration(seconds * float64(time.Second))) }

// node is one collector: its breakers and its way to Redis.
type node struct {
	*breaker.Registry
	place *Place
}

func clientOf(t testing.TB, server *redistest.Server) *redis.Client {
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: server.Socket, MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func newNode(t testing.TB, server *redistest.Server, source string) *node {
	return newNodeWith(clientOf(t, server), source, breaker.DefaultSettings().MaxKeys)
}

func newNodeWith(client redis.UniversalClient, source string, maxKeys int) *node {
	s := breaker.DefaultSettings()
	s.Jitter, s.Source, s.MaxKeys = -1, source, maxKeys
	return &node{
		Registry: breaker.New(s),
		place: New(client, Settings{
			Prefix: "test", Window: s.Window, Buckets: s.Buckets, AllowedLateness: s.AllowedLateness, MaxKeys: s.MaxKeys, Source: source,
		}),
	}
}

func (n *node) call(key breaker.Key, end float64, success bool) {
	n.Record(key, breaker.Outcome{Start: at(end), End: at(end), Success: success}, at(end))
}

func (n *node) exchange(t testing.TB, now float64) []breaker.Change {
	t.Helper()
	changes, err := n.place.Exchange(t.Context(), n.Registry, at(now))
	require.NoError(t, err)
	return changes
}

func (n *node) state(now float64) breaker.Snapshot { return n.StateAt(chat, at(now)) }

func TestNodesThatSeeHalfOfTheFailuresOpenTogether(t *testing.T) {
	server := redistest.Start(t)
	a, b := newNode(t, server, "a"), newNode(t, server, "b")
	for i := range 4 {
		a.call(chat, float64(i), false)
		b.call(chat, float64(i)+0.5, false)
	}
	assert.Empty(t, a.exchange(t, 4), "it knows of its own four")
	changes := append(b.exchange(t, 4), a.exchange(t, 4)...)
	require.Len(t, changes, 2)
	assert.Equal(t, semconv.BreakerOpen, a.state(5).State)
	assert.Equal(t, a.state(5), b.state(5))
	assert.Equal(t, uint64(8), a.state(5).Calls)

	c := newNode(t, server, "c")
	c.exchange(t, 5)
	assert.Equal(t, a.state(5), c.state(5), "who comes later knows at once")

	assert.Empty(t, a.exchange(t, 6))
	c.call(chat, 40, true)
	c.call(chat, 41, true)
	b.call(chat, 41, true)
	c.exchange(t, 42)
	b.exchange(t, 42)
	a.exchange(t, 42)
	c.exchange(t, 43)
	assert.Equal(t, semconv.BreakerClosed, a.state(43).State, "three successes of two nodes")
	assert.Equal(t, a.state(43), c.state(43))
}

// An answer that is lost leaves open whether Redis has taken what was told.
func TestWhatIsToldTwiceCountsOnce(t *testing.T) {
	server := redistest.Start(t)
	lossy := clientOf(t, server)
	drop := &dropper{}
	lossy.AddHook(drop)
	a, b := newNodeWith(lossy, "a", 100), newNode(t, server, "b")
	a.exchange(t, 0) // the script is known
	for i, lose := range []bool{true, true, false, true, false} {
		a.call(chat, float64(i), i%2 == 0)
		drop.answers = lose
		_, err := a.place.Exchange(t.Context(), a.Registry, at(float64(i)))
		assert.Equal(t, lose, err != nil)
	}
	a.exchange(t, 5) // what was new while the batch before was sent again
	b.exchange(t, 5)
	assert.Equal(t, uint64(5), b.state(5).Calls)
	assert.InDelta(t, 0.4, b.state(5).FailureRatio, 1e-9)
}

func TestRedisLosesEverything(t *testing.T) {
	server := redistest.Start(t)
	a, b := newNode(t, server, "a"), newNode(t, server, "b")
	for i := range 5 {
		a.call(chat, float64(i), false)
	}
	a.exchange(t, 5)
	b.call(chat, 5, false)
	b.exchange(t, 5)
	require.Equal(t, semconv.BreakerOpen, b.state(5).State)

	server.Kill()
	b.call(chat, 5.5, false)
	_, err := b.place.Exchange(t.Context(), b.Registry, at(5.5))
	require.Error(t, err)
	server.Restart()
	for range 2 { // once to notice, once to tell
		a.exchange(t, 6)
		b.exchange(t, 6)
	}
	c := newNode(t, server, "c")
	c.exchange(t, 7)
	assert.Equal(t, semconv.BreakerOpen, c.state(7).State)
	assert.Equal(t, uint64(7), c.state(7).Calls)
	a.exchange(t, 7)
	assert.Equal(t, c.state(7), a.state(7))
}

func TestManyBreakersInPages(t *testing.T) {
	const keys = 3*page + 7
	server := redistest.Start(t)
	client := clientOf(t, server)
	a, b := newNodeWith(client, "a", 2*keys), newNodeWith(client, "b", 2*keys)
	for i := range keys {
		a.call(breaker.Key{Operation: "chat", Provider: fmt.Sprint(i)}, 1, true)
	}
	a.exchange(t, 2)
	for range 4 { // a page more each time
		b.exchange(t, 2)
	}
	assert.True(t, slices.Equal(a.List(at(2)), b.List(at(2)))) // a difference would be long
	for i := range keys {
		b.call(breaker.Key{Operation: "chat", Provider: fmt.Sprint(i)}, 3, false)
	}
	b.exchange(t, 4)
	for range 4 {
		a.exchange(t, 4)
	}
	ofOne := func(s breaker.Snapshot) breaker.Snapshot {
		s.ConsecutiveFailures = 0 // each shows its own
		return s
	}
	same := func(x, y breaker.Snapshot) bool { return ofOne(x) == ofOne(y) }
	assert.True(t, slices.EqualFunc(a.List(at(4)), b.List(at(4)), same))
}

func TestRedisKeepsNoMoreThanItMust(t *testing.T) {
	server := redistest.Start(t)
	client := clientOf(t, server)
	a := newNodeWith(client, "a", 10)
	for i := range 30 {
		a.call(breaker.Key{Operation: "chat", Provider: fmt.Sprint(i)}, float64(i), true)
		a.exchange(t, float64(i))
	}
	assert.Equal(t, int64(10), client.HLen(t.Context(), a.place.keys[2]).Val())
	assert.Equal(t, int64(10), client.ZCard(t.Context(), a.place.keys[1]).Val())
	for i := range 300 { // a streak that opens nothing is not kept whole, nor are buckets of long ago
		a.call(chat, 30+float64(10*i), i%2 == 0)
		a.exchange(t, 30+float64(10*i))
	}
	text := client.HGet(t.Context(), a.place.keys[2], fieldOf(chat)).Val()
	assert.Less(t, len(text), 1000, text)
	for _, key := range a.place.keys {
		ttl := client.TTL(t.Context(), key).Val()
		assert.Greater(t, ttl, 47*time.Hour, key)
	}
}

func TestWhatOthersWroteHurtsNobody(t *testing.T) {
	server := redistest.Start(t)
	client := clientOf(t, server)
	a := newNode(t, server, "a")
	a.call(chat, 1, false)
	a.exchange(t, 1)
	for _, garbage := range []string{"", "{", "[]", "7", "null", `{"epoch":7,"buckets":[[]]}`, `{"epoch":"x","buckets":{"a":"b"}}`, `{"epoch":{},"phase":[]}`} {
		client.HSet(t.Context(), a.place.keys[2], fieldOf(chat), garbage)
		client.HSet(t.Context(), a.place.keys[2], "nonsense", garbage)
		client.ZAdd(t.Context(), a.place.keys[1], redis.Z{Score: 1e6, Member: "nonsense"})
		client.ZAdd(t.Context(), a.place.keys[1], redis.Z{Score: 1e6 + 1, Member: fieldOf(chat)})
		_, _ = a.place.Exchange(t.Context(), a.Registry, at(2))
		a.call(chat, 2, true)
		_, _ = a.place.Exchange(t.Context(), a.Registry, at(2))
	}
	b := newNode(t, server, "b")
	_, err := b.place.Exchange(t.Context(), b.Registry, at(3))
	require.ErrorContains(t, err, `"nonsense"`)
	assert.Equal(t, uint64(1), b.state(3).Calls, "what was told since")
}

// What the script makes of anything that is told, in any order, is what the SDK's Merge makes of it.
func TestTheScriptMergesAsTheSDK(t *testing.T) {
	server := redistest.Start(t)
	client := clientOf(t, server)
	round := 0
	rapid.Check(t, func(t *rapid.T) {
		round++
		s := Settings{Prefix: fmt.Sprint(round), Window: time.Minute, Buckets: 10, MaxKeys: 10, Source: "a"}
		told := rapid.SliceOfN(shared(), 1, 6).Draw(t, "told")
		longest := rapid.IntRange(1, 4).Draw(t, "streak")
		want := told[0]
		for _, d := range told[1:] {
			want = breaker.Merge(want, d, longest)
		}
		for _, order := range [][]breaker.Shared{told, rapid.Permutation(told).Draw(t, "order")} {
			p := New(client, s)
			s.Prefix += "'"
			var sums []breaker.Shared
			for _, d := range order {
				require.NoError(t, p.gather([]breaker.Shared{d}))
				require.NoError(t, p.script.Load(t.Context(), client).Err())
				replies, err := p.send(t.Context(), longest, epoch)
				require.NoError(t, err)
				p.unsent = nil
				sums, _, err = p.read(replies)
				require.NoError(t, err)
			}
			require.Len(t, sums, 1)
			if len(told) > 1 {
				assert.Equal(t, plain(want), plain(sums[0]))
			}
		}
	})
}

// plain makes what is empty equal.
func plain(s breaker.Shared) breaker.Shared {
	s.Buckets, s.Streak = slices.Clip(append([]breaker.BucketCounts{}, s.Buckets...)), append([]time.Time{}, s.Streak...)
	return s
}

func shared() *rapid.Generator[breaker.Shared] {
	instant := rapid.Custom(func(t *rapid.T) time.Time { return at(float64(rapid.IntRange(0, 9).Draw(t, "second"))) })
	counts := rapid.Custom(func(t *rapid.T) breaker.Counts {
		n := rapid.SampledFrom([]uint32{0, 1, 7, 1 << 29, 1 << 30})
		return breaker.Counts{Successes: n.Draw(t, "s"), Failures: n.Draw(t, "f"), Slow: n.Draw(t, "w"), NotPermitted: n.Draw(t, "n")}
	})
	generation := rapid.SampledFrom([]uint64{1, 2, 3, 1<<53 + 1, 1 << 53, 1 << 62})
	return rapid.Custom(func(t *rapid.T) breaker.Shared {
		s := breaker.Shared{Key: chat, Epoch: rapid.SampledFrom([]uint64{0, 0, 0, 1, 1 << 60}).Draw(t, "epoch")}
		first := epoch.UnixNano() / int64(6*time.Second)
		for i := range rapid.IntRange(0, 3).Draw(t, "buckets") {
			s.Buckets = append(s.Buckets, breaker.BucketCounts{Bucket: first + 2*int64(i) + int64(rapid.IntRange(0, 1).Draw(t, "+")), Counts: counts.Draw(t, "counts")})
		}
		if rapid.Bool().Draw(t, "succeeded") {
			s.LastSuccess = instant.Draw(t, "last success")
		}
		s.Streak = rapid.SliceOfN(instant, 0, 4).Draw(t, "streak")
		slices.SortFunc(s.Streak, time.Time.Compare)
		if rapid.Bool().Draw(t, "decided") {
			s.Phase = breaker.Phase{
				State: rapid.SampledFrom([]semconv.BreakerState{semconv.BreakerOpen, semconv.BreakerClosed}).Draw(t, "state"),
				At:    instant.Draw(t, "at"), Generation: generation.Draw(t, "generation"),
				Source: rapid.SampledFrom([]string{"", "a", "b", "é\"\\\n"}).Draw(t, "source"),
			}
			if s.Phase.State == semconv.BreakerOpen {
				s.Phase.Until, s.Phase.Openings = s.Phase.At.Add(time.Minute), 1
			}
		}
		if rapid.Bool().Draw(t, "probed") {
			s.Probes = breaker.Probes{Generation: generation.Draw(t, "opening"), Successes: rapid.SampledFrom([]uint32{1, 2, 999, 1000}).Draw(t, "probes")}
		}
		return s
	})
}

func TestKeysOfAnyName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := breaker.Key{Operation: string(rapid.SliceOf(rapid.Byte()).Draw(t, "operation")), Provider: rapid.String().Draw(t, "provider")}
		got, ok := keyOf(fieldOf(k))
		assert.True(t, ok)
		assert.Equal(t, k, got)
	})
	for _, bad := range []string{"", ":", "1:", "a:b/c", "-1:b/c", "9:b/c", "0:b", strings.Repeat("9", 40) + ":b/c"} {
		_, ok := keyOf(bad)
		assert.False(t, ok, bad)
	}
}
