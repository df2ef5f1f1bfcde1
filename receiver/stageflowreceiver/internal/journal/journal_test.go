// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/plog"
	"pgregory.net/rapid"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/journal/journaltest"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 7, time.UTC)

// words makes an entry whose records are owned by the letters of their bodies; dots only fill.
func words(bodies ...string) *Entry {
	ld := plog.NewLogs()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for _, b := range bodies {
		records.AppendEmpty().Body().SetStr(b)
	}
	return &Entry{Kind: Events, Arrival: noon, Records: ld}
}

func letters(lr plog.LogRecord) []string {
	return strings.Split(strings.TrimRight(lr.Body().Str(), "."), "")
}

func open(t require.TestingT, m *journaltest.Memory) *Journal {
	client, err := m.GetClient(context.Background(), component.KindReceiver, component.ID{}, "")
	require.NoError(t, err)
	j, err := Open(context.Background(), client, letters)
	require.NoError(t, err)
	return j
}

// append stores an entry on which the owners have claims.
func (j *Journal) appendFor(t require.TestingT, e *Entry, claims ...*Claim) Position {
	pos, err := j.Append(context.Background(), e)
	require.NoError(t, err)
	for _, c := range claims {
		c.Add(pos)
	}
	j.Done(pos)
	return pos
}

// read lists what is read back: the bodies of each entry, "-" before those that nobody knows were acknowledged.
func (j *Journal) read(t require.TestingT) []string {
	out := []string{}
	require.NoError(t, j.Replay(context.Background(), Events, func(r Replayed) {
		e, err := r.Entry()
		if err != nil {
			out = append(out, err.Error())
			return
		}
		text := ""
		if !r.Sure {
			text = "-"
		}
		for _, rl := range e.Records.ResourceLogs().All() {
			for _, lr := range rl.ScopeLogs().At(0).LogRecords().All() {
				for _, o := range letters(lr) {
					if OnlyFor(lr, o) {
						text += o
					}
				}
			}
		}
		out = append(out, text)
	}))
	return out
}

func TestEntriesAreReadBack(t *testing.T) {
	m := journaltest.New()
	j := open(t, m)
	a, b := j.Claim("a"), j.Claim("b")
	j.appendFor(t, words("a"), a)
	j.appendFor(t, words("b", "a"), a, b)
	_, err := j.Append(t.Context(), words("c")) // killed before it was acknowledged
	require.NoError(t, err)

	j = open(t, m)
	assert.Equal(t, []string{"a", "ba", "-c"}, j.read(t))
	require.NoError(t, j.Replay(t.Context(), Events, func(r Replayed) {
		e, err := r.Entry()
		require.NoError(t, err)
		assert.True(t, e.Arrival.Equal(noon))
	}))
	j.EndReplay()
	require.NoError(t, j.Trim(t.Context()))
	assert.Equal(t, []string{"!first"}, m.Keys(), "nobody claimed anything")
	j.appendFor(t, words("d"), j.Claim("d"))
	assert.Equal(t, []string{"-d"}, open(t, m).read(t))
}

func TestFrontIsCutOff(t *testing.T) {
	m := journaltest.New()
	j := open(t, m)
	a, b, c := j.Claim("a"), j.Claim("b"), j.Claim("c")
	j.appendFor(t, words("a"), a)
	j.appendFor(t, words("b"), b)
	j.appendFor(t, words("c"), c)
	b.Release()
	require.NoError(t, j.Trim(t.Context()))
	assert.Len(t, m.Keys(), 3, "the one in the middle stays while one before it is needed")
	a.Release()
	a.Release() // once more does nothing
	require.NoError(t, j.Trim(t.Context()))
	assert.Equal(t, []string{"-c"}, open(t, m).read(t), "no entry came after it")
	c.Release()
	require.NoError(t, j.Trim(t.Context()))
	assert.Equal(t, []string{"!first"}, m.Keys())
	assert.Zero(t, j.Size())
}

// A batch that was refused is not read back, and what came after it is.
func TestWithdrawn(t *testing.T) {
	m := journaltest.New()
	j := open(t, m)
	pos, err := j.Append(t.Context(), words("a"))
	require.NoError(t, err)
	j.appendFor(t, words("b"), j.Claim("b"))
	require.NoError(t, j.Withdraw(t.Context(), pos))
	j.appendFor(t, words("c"), j.Claim("c"))
	assert.Equal(t, []string{"b", "-c"}, open(t, m).read(t))
}

func TestStorageThatRefuses(t *testing.T) {
	m := journaltest.New()
	j := open(t, m)
	a := j.Claim("a")
	j.appendFor(t, words("a"), a)
	m.Refuse(storage.ErrStorageFull)
	_, err := j.Append(t.Context(), words("b"))
	require.ErrorIs(t, err, storage.ErrStorageFull)
	a.Release()
	require.Error(t, j.Trim(t.Context()))
	m.Refuse(nil)
	j.appendFor(t, words("c"), j.Claim("c"))
	assert.Equal(t, []string{"-c"}, open(t, m).read(t), "what was refused left no gap, what could not be cut off is cut off later")
}

func TestWhatCannotBeRead(t *testing.T) {
	m := journaltest.New()
	j := open(t, m)
	for _, w := range []string{"a", "b", "c", "d"} {
		j.appendFor(t, words(w), j.Claim(w))
	}
	m.Set(Position(1).key(), []byte{version})
	m.Set(Position(3).key(), append(slices.Clone(m.Value(Position(3).key())[:headerSize]), 0xff, 0xff))
	got := open(t, m).read(t)
	require.Len(t, got, 4)
	assert.Contains(t, got[0], "entry 1 cannot be read: it has 1 bytes")
	assert.Equal(t, "b", got[1])
	assert.Contains(t, got[2], "entry 3 cannot be read")
	assert.Equal(t, "-d", got[3])

	later := m.Value(Position(2).key())
	later[0] = version + 1
	m.Set(Position(2).key(), later)
	client, err := m.GetClient(t.Context(), component.KindReceiver, component.ID{}, "")
	require.NoError(t, err)
	_, err = Open(t.Context(), client, letters)
	require.ErrorIs(t, err, errVersion)
}

// What is needed for long does not hold up what came after it: it is appended again, without what is not needed.
func TestRenewKeepsTheQueueShort(t *testing.T) {
	m := journaltest.New()
	j := open(t, m)
	long := j.Claim("l")
	j.appendFor(t, words("l", "ls", "s"), long)
	filler := "f" + strings.Repeat(".", 1<<16)
	total := int64(0)
	for range 2000 {
		f := j.Claim("f")
		e := words(filler)
		j.appendFor(t, e, f)
		f.Release()
		require.NoError(t, j.Renew(t.Context()))
		total += int64(len(filler))
		require.Less(t, j.Size(), int64(slack+4*len(filler)))
	}
	assert.Greater(t, total, int64(4*slack))
	got := open(t, m).read(t)
	assert.Contains(t, got, "ll", "of the record that two owned, what is left is for one")
	long.Release()
	require.NoError(t, j.Trim(t.Context()))
	assert.Equal(t, []string{"!first"}, m.Keys())
}

// Whatever happens, what is claimed is read back, once for each owner, and nothing that a later mark says has been
// handed on; and no claim is charged twice.
func TestClaimedIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := journaltest.New()
		j := open(t, m)
		claims := map[string]*Claim{}
		held := map[string]int{}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"append", "append", "release", "renew", "trim", "fail", "withdraw"}).Draw(t, "step") {
			case "append":
				owners := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 1, 3, rapid.ID[string]).Draw(t, "owners")
				var of []*Claim
				for _, o := range owners {
					if claims[o] == nil {
						claims[o] = j.Claim(o)
					}
					of = append(of, claims[o])
					held[o]++
				}
				j.appendFor(t, words(strings.Join(owners, "")), of...)
			case "release":
				o := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "owner")
				claims[o].Release()
				delete(claims, o)
				delete(held, o)
			case "renew":
				_, err := j.renew(context.Background())
				require.NoError(t, err)
			case "trim":
				require.NoError(t, j.Trim(context.Background()))
			case "fail":
				m.Refuse(errors.New("refused"))
				_, err := j.Append(context.Background(), words("x"))
				require.Error(t, err)
				_, _ = j.renew(context.Background())
				m.Refuse(nil)
			case "withdraw":
				pos, err := j.Append(context.Background(), words("w"))
				require.NoError(t, err)
				require.NoError(t, j.Withdraw(context.Background(), pos))
			}
			got := map[string]int{}
			again := open(t, m.Copy())
			require.NoError(t, again.Replay(context.Background(), Events, func(r Replayed) {
				e, err := r.Entry()
				require.NoError(t, err)
				for _, rl := range e.Records.ResourceLogs().All() {
					for _, lr := range rl.ScopeLogs().At(0).LogRecords().All() {
						for _, o := range letters(lr) {
							if c := claims[o]; OnlyFor(lr, o) && c != nil && slices.Contains(c.positions, r.Position) {
								got[o]++
							}
						}
					}
				}
			}))
			require.Equal(t, held, got)
			checkBooks(t, j)
		}
	})
}

// checkBooks counts again what the journal keeps count of.
func checkBooks(t require.TestingT, j *Journal) {
	size, claimed := int64(0), int64(0)
	for i, e := range j.entries {
		n := int32(0)
		for _, c := range e.claims {
			if slices.Contains(c.positions, j.first+Position(i)) {
				n++
			}
		}
		require.Equal(t, n, e.held, fmt.Sprint(i))
		size += int64(e.size)
		claimed += int64(e.share * e.held)
	}
	require.Equal(t, size, j.size)
	require.Equal(t, claimed, j.claimed)
}
