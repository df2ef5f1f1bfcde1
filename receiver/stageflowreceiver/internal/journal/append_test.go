// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/journal/journaltest"
)

// slow is a storage that begins a batch of writes when it is told to, and asks whether it may.
type slow struct {
	storage.Client
	begin chan struct{}
	may   func(ops []*storage.Operation) error
}

func (s *slow) Batch(ctx context.Context, ops ...*storage.Operation) error {
	if slices.ContainsFunc(ops, func(op *storage.Operation) bool { return op.Type == storage.Set }) {
		<-s.begin
		if err := s.may(ops); err != nil {
			return err
		}
	}
	return s.Client.Batch(ctx, ops...)
}

// together appends entries of all words while the first of them is being written, and returns what became of each.
func together(t *testing.T, j *Journal, s *slow, all []string, do func(word string) error) map[string]error {
	t.Helper()
	var mu sync.Mutex
	got := map[string]error{}
	var group sync.WaitGroup
	for i, w := range all {
		group.Go(func() {
			err := do(w)
			mu.Lock()
			defer mu.Unlock()
			got[w] = err
		})
		for waiting := 0; waiting <= i; runtime.Gosched() {
			j.mu.Lock()
			waiting = len(j.waiting)
			j.mu.Unlock()
		}
	}
	close(s.begin)
	group.Wait()
	return got
}

func openSlow(t *testing.T, m *journaltest.Memory) (*Journal, *slow) {
	client, err := m.GetClient(t.Context(), component.KindReceiver, component.ID{}, "")
	require.NoError(t, err)
	s := &slow{Client: client, begin: make(chan struct{}), may: func([]*storage.Operation) error { return nil }}
	j, err := Open(t.Context(), s, letters)
	require.NoError(t, err)
	return j, s
}

// While one request writes, others wait, and are then written together: each at a place of its own.
func TestRequestsAreWrittenTogether(t *testing.T) {
	m := journaltest.New()
	j, s := openSlow(t, m)
	places := map[Position]string{}
	var mu sync.Mutex
	got := together(t, j, s, []string{"a", "b", "c", "d", "e", "f"}, func(word string) error {
		pos, err := j.Append(t.Context(), words(word))
		mu.Lock()
		defer mu.Unlock()
		places[pos] = word
		return err
	})
	for word, err := range got {
		assert.NoError(t, err, word)
	}
	assert.Len(t, places, 6)
	batches, _ := m.Written()
	assert.LessOrEqual(t, batches, 2, "the one that was under way, and one for all that waited")
	assert.Nil(t, j.waiting)

	for pos := Position(1); pos <= 6; pos++ {
		require.NoError(t, j.Withdraw(t.Context(), pos))
	}
	checkBooks(t, j)
	assert.Empty(t, open(t, m).read(t))
}

// An entry that the storage does not take is refused alone, and leaves no gap.
func TestOneOfManyIsRefused(t *testing.T) {
	m := journaltest.New()
	j, s := openSlow(t, m)
	tooLarge := errors.New("too large")
	s.may = func(ops []*storage.Operation) error {
		for _, op := range ops {
			if len(op.Value) > 1000 {
				return tooLarge
			}
		}
		return nil
	}
	large := "x" + string(make([]byte, 1000))
	got := together(t, j, s, []string{"a", "b", large, "c", "d"}, func(word string) error {
		pos, err := j.Append(t.Context(), words(word))
		if err == nil {
			j.Claim(word).Add(pos)
		}
		return err
	})
	require.ErrorIs(t, got[large], tooLarge)
	delete(got, large)
	for word, err := range got {
		assert.NoError(t, err, word)
	}
	checkBooks(t, j)
	read := open(t, m).read(t)
	for i := range read {
		read[i] = read[i][len(read[i])-1:]
	}
	assert.ElementsMatch(t, []string{"a", "b", "c", "d"}, read)
}
