// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlogexporter

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/exporter/exportertest"

	"github.com/stageflow/otelcol-stageflow/exporter/runlogexporter/internal/metadata"
	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/pgstore/pgtest"
)

var (
	errAway  = errors.New("connection refused")
	errNewer = errors.New("a newer schema")
)

// closingStore takes everything and remembers how often it was closed.
type closingStore struct {
	upkeepStore
	closes atomic.Int64
}

func (s *closingStore) Close() error {
	s.closes.Add(1)
	return nil
}

// newOpening is a writer whose store opens as open says, seen by a witness; only errAway passes.
func newOpening(t *testing.T, open func(context.Context) (runlog.Store, error)) (*writer, *witness) {
	t.Helper()
	seen := newWitness()
	set := exportertest.NewNopSettings(metadata.Type)
	set.Logger = seen.logger
	w, err := newWriter(NewDefaultConfig(), set)
	require.NoError(t, err)
	w.health.host = seen
	w.store = &opening{open: open, passes: func(err error) bool { return errors.Is(err, errAway) }, health: w.health}
	return w, seen
}

// answers opens as often as there are errors, in turn; nil opens the store.
func answers(store runlog.Store, errs ...error) func(context.Context) (runlog.Store, error) {
	return func(context.Context) (runlog.Store, error) {
		err := errs[0]
		errs = errs[1:]
		return store, err
	}
}

func TestAServerThatIsAwayIsTriedAgain(t *testing.T) {
	store := &closingStore{}
	store.res = runlog.Result{Rows: map[string]int64{"runs": 1}}
	w, seen := newOpening(t, answers(store, errAway, errAway, errAway, nil))
	require.NoError(t, w.store.start(ctx), "the collector starts")
	assert.Equal(t, []componentstatus.Status{recoverable}, seen.statuses())
	for range 2 {
		require.ErrorIs(t, w.writeLogs(ctx, started(t)), errAway)
	}
	for range 2 {
		require.NoError(t, w.writeLogs(ctx, started(t)))
	}
	assert.Equal(t, []componentstatus.Status{recoverable, ok}, seen.statuses())
	lines, errs := seen.told()
	assert.Equal(t, []string{failingLine, wellLine}, lines)
	assert.Equal(t, []string{errAway.Error()}, errs)
	require.NoError(t, w.Shutdown(ctx))
	assert.Equal(t, int64(1), store.closes.Load())
}

func TestWhatWaitingDoesNotRepairFailsTheStart(t *testing.T) {
	w, seen := newOpening(t, answers(nil, errNewer))
	require.ErrorIs(t, w.store.start(ctx), errNewer)
	assert.Empty(t, seen.statuses(), "the collector reports what Start returns")
	lines, _ := seen.told()
	assert.Empty(t, lines)
	require.NoError(t, w.Shutdown(ctx))
}

func TestUpkeepOpensTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &closingStore{}
		store.begin, store.retained = time.Now(), make([]runlog.Retained, 2)
		w, seen := newOpening(t, answers(store, errAway, errAway, nil))
		require.NoError(t, w.store.start(ctx))
		w.startUpkeep()
		synctest.Wait()
		prunes, _ := store.seen()
		assert.Empty(t, prunes)
		time.Sleep(upkeepInterval)
		synctest.Wait()
		prunes, measures := store.seen()
		assert.Equal(t, []time.Duration{upkeepInterval}, prunes)
		assert.Equal(t, []time.Duration{upkeepInterval}, measures)
		assert.Equal(t, []componentstatus.Status{recoverable, ok}, seen.statuses(), "though nothing was written")
		assert.Equal(t, 2, seen.logs.Len(), "one line when it was away, one when it was there")
		require.NoError(t, w.Shutdown(ctx))
	})
}

// The collector takes no other status after a permanent error: what comes later is told by the log alone.
func TestWhatWaitingDoesNotRepairIsFoundLater(t *testing.T) {
	store := &closingStore{}
	w, seen := newOpening(t, answers(store, errAway, errNewer, errAway, errNewer, nil))
	require.NoError(t, w.store.start(ctx))
	for _, want := range []error{errNewer, errAway, errNewer} {
		require.ErrorIs(t, w.writeLogs(ctx, started(t)), want, "and the queue keeps it")
	}
	assert.Equal(t, []componentstatus.Status{recoverable, permanent}, seen.statuses())
	lines, errs := seen.told()
	assert.Equal(t, []string{failingLine, brokenLine}, lines)
	assert.Equal(t, []string{errAway.Error(), errNewer.Error()}, errs)

	require.NoError(t, w.writeLogs(ctx, started(t)), "somebody has repaired it")
	store.err = errors.New("disk full")
	require.ErrorIs(t, w.writeLogs(ctx, started(t)), store.err)
	lines, _ = seen.told()
	assert.Equal(t, []string{failingLine, brokenLine, wellLine, failingLine}, lines)
	assert.Equal(t, []componentstatus.Status{recoverable, permanent}, seen.statuses())
	require.NoError(t, w.Shutdown(ctx))
}

// tries is an opener whose tries wait for their answers.
type tries struct {
	began   atomic.Int64
	answers chan error
	store   runlog.Store
}

func (o *tries) open(ctx context.Context) (runlog.Store, error) {
	o.began.Add(1)
	select {
	case err := <-o.answers:
		return o.store, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// writeAll begins writes, and returns where their errors arrive.
func writeAll(ctx context.Context, t *testing.T, w *writer, n int) chan error {
	done := make(chan error, n)
	for range n {
		logs := started(t)
		go func() { done <- w.writeLogs(ctx, logs) }()
	}
	synctest.Wait()
	return done
}

func TestOneAtATimeOpensTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &tries{answers: make(chan error), store: &closingStore{}}
		w, _ := newOpening(t, o.open)
		for i, answer := range []error{errAway, errNewer, nil} {
			done := writeAll(ctx, t, w, 5)
			o.answers <- answer
			for range 5 {
				require.ErrorIs(t, <-done, answer, "all share what came of it")
			}
			assert.Equal(t, int64(i+1), o.began.Load())
		}
		require.NoError(t, w.Shutdown(ctx))
	})
}

func TestWhoWaitsForTheStoreHasItsOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &tries{answers: make(chan error), store: &closingStore{}}
		w, seen := newOpening(t, o.open)
		timed := func(d time.Duration) (context.Context, context.CancelFunc) { return context.WithTimeout(ctx, d) }
		soon, cancel := timed(time.Second)
		defer cancel()
		later, cancel := timed(2 * time.Second)
		defer cancel()
		first := writeAll(later, t, w, 1)
		impatient := writeAll(soon, t, w, 1)
		patient := writeAll(ctx, t, w, 1)
		require.ErrorIs(t, <-impatient, context.DeadlineExceeded)
		assert.Equal(t, int64(1), o.began.Load(), "the other's try goes on")
		require.ErrorIs(t, <-first, context.DeadlineExceeded)
		synctest.Wait()
		assert.Equal(t, int64(2), o.began.Load(), "who has more time tries anew")
		assert.Empty(t, seen.statuses(), "that time was up says nothing of the store")
		o.answers <- nil
		require.NoError(t, <-patient)
		require.NoError(t, w.Shutdown(ctx))
	})
}

func TestShutdownEndsAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &tries{answers: make(chan error)}
		w, seen := newOpening(t, o.open)
		w.startUpkeep()
		done := writeAll(ctx, t, w, 3)
		assert.Equal(t, int64(1), o.began.Load())
		require.NoError(t, w.Shutdown(ctx))
		for range 3 {
			require.Error(t, <-done)
		}
		require.ErrorIs(t, w.writeLogs(ctx, started(t)), os.ErrClosed)
		assert.Empty(t, seen.statuses())
	})
}

func TestShutdownClosesWhatOpensMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, ready := &closingStore{}, make(chan struct{})
		w, _ := newOpening(t, func(context.Context) (runlog.Store, error) {
			<-ready
			return store, nil
		})
		done := writeAll(ctx, t, w, 3)
		down := make(chan error)
		go func() { down <- w.Shutdown(ctx) }()
		synctest.Wait()
		close(ready)
		require.NoError(t, <-down)
		for range 3 {
			<-done
		}
		assert.Equal(t, int64(1), store.closes.Load())
	})
}

// The server is away when the exporter starts, and again when another does; what they were told is there in the end.
func TestPostgresComesLater(t *testing.T) {
	server := pgtest.Start(t)
	dsn := server.Database(t)
	server.Kill()
	start := func() (pair, *witness) {
		seen := newWitness()
		return newPairSeen(t, seen, func(c *Config) {
			c.Store, c.Postgres.DSN = StorePostgres, configopaque.String(dsn)
			c.QueueConfig.Get().NumConsumers = 3
			c.RetryConfig.InitialInterval, c.RetryConfig.MaxInterval = 5*time.Millisecond, 50*time.Millisecond
		}), seen
	}
	rows := func() (n int) {
		c, err := pgx.Connect(ctx, dsn)
		require.NoError(t, err)
		defer c.Close(ctx)
		if c.QueryRow(ctx, "SELECT count(*) FROM runs WHERE status = 'completed'").Scan(&n) != nil {
			return 0 // no such table yet
		}
		return n
	}
	p, seen := start()
	assert.Equal(t, []componentstatus.Status{recoverable}, seen.statuses())
	require.NoError(t, p.logs.ConsumeLogs(ctx, started(t)))
	require.NoError(t, p.traces.ConsumeTraces(ctx, completed(t)))
	require.Eventually(t, func() bool { return seen.logs.FilterMessageSnippet("Exporting failed").Len() >= 4 }, time.Minute, time.Millisecond)
	require.NoError(t, server.Restart())
	require.Eventually(t, func() bool { return rows() == 1 }, time.Minute, 10*time.Millisecond)
	require.Eventually(t, func() bool { return len(seen.statuses()) >= 2 }, time.Minute, time.Millisecond)
	require.NoError(t, p.logs.Shutdown(ctx))
	require.NoError(t, p.traces.Shutdown(ctx))
	assert.Equal(t, []componentstatus.Status{recoverable, ok}, seen.statuses())
	lines, errs := seen.told()
	assert.Equal(t, []string{failingLine, wellLine}, lines)
	require.Len(t, errs, 1)
	assert.Contains(t, errs[0], "cannot open the run log in database")
	assert.NotContains(t, errs[0], "\n")

	server.Kill()
	p, seen = start()
	require.NoError(t, p.logs.ConsumeLogs(ctx, started(t)))
	require.Eventually(t, func() bool { return seen.logs.FilterMessageSnippet("Exporting failed").Len() > 0 }, time.Minute, time.Millisecond)
	require.NoError(t, p.logs.Shutdown(ctx))
	require.NoError(t, p.traces.Shutdown(ctx), "though the server is away still")
}

// What is wrong with the database itself fails the start.
func TestPostgresThatWaitingDoesNotRepair(t *testing.T) {
	defer pgtest.Stop()
	dsn := pgtest.Database(t)
	for name, wrong := range map[string]string{
		"no such database": strings.Replace(dsn, "dbname=", "dbname=no_", 1),
		"no such user":     strings.Replace(dsn, "user=", "user=no_", 1),
	} {
		t.Run(name, func(t *testing.T) {
			cfg := NewDefaultConfig()
			cfg.Store, cfg.Postgres.DSN = StorePostgres, configopaque.String(wrong)
			e, err := NewFactory().CreateLogs(ctx, exportertest.NewNopSettings(metadata.Type), cfg)
			require.NoError(t, err)
			require.ErrorContains(t, e.Start(ctx, newWitness()), "does not exist")
			require.NoError(t, e.Shutdown(ctx))
		})
	}
}
