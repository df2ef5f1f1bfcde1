// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/runlog/pgstore/pgtest"
)

var crashes = flag.Int("crashes", 25, "how often TestPostgresKilled kills: two times of five PostgreSQL, else the collector")

// killableTeams writes into PostgreSQL with several consumers, a little at a time: something is being written whenever
// the server or the collector is killed. What failed is soon tried again.
const killableTeams = breakersStayClosed + `
receivers:
  stageflow:
    runs: {settle: 200ms, flush_after: %s}
exporters:
  runlog:
    store: postgres
    postgres: {dsn: %q}
    sending_queue: {num_consumers: 3, batch: {flush_timeout: 20ms, min_size: 100, max_size: 500}}
    retry_on_failure: {initial_interval: 50ms, max_interval: 500ms}
`

// breakersStayClosed keeps out of the rows what depends on the order in which calls are told of: the state of breakers.
const breakersStayClosed = `
processors:
  breaker: {consecutive_failures: 1000}
`

// PostgreSQL and the collector are killed again and again, in any order and at any moment, while senders send. The
// collector starts and takes what it is sent, whether PostgreSQL is there or not. Nothing that was acknowledged is lost
// and nothing is there twice: the run log says what was told, and the same in every column as that of a collector to
// which nothing happened.
func TestPostgresKilled(t *testing.T) {
	server := pgtest.Start(t, "-c", "fsync=off") // the server is killed, not the machine
	k := newKiller(t, fmt.Sprint("-crashes ", *crashes))
	dsn := server.Database(t)
	k.overrides = func() string { return fmt.Sprintf(killableTeams, k.flushAfter(), dsn) }
	p := &pair{killer: k, server: server, pace: time.NewTicker(5 * time.Millisecond)}
	defer p.pace.Stop()
	t.Cleanup(p.load.Wait)

	p.start(t)
	servers := 0
	for i := range *crashes {
		p.acknowledged(t)
		// A server that is away cannot be killed; a collector may be, before the server is back.
		killServer := p.random.IntN(*crashes-i) < *crashes*2/5-servers
		if p.away && (killServer || p.random.IntN(2) == 0) {
			p.restartServer(t)
			p.acknowledged(t)
		}
		if killServer {
			servers++
			p.away = true
			server.Kill()
			continue
		}
		p.kill()
		p.load.Wait()
		p.start(t)
		if p.away {
			p.without++
			p.acknowledged(t)
		}
	}
	p.finish(t)

	rows, _ := k.told()
	assertLines(t, "row", rows, rowsOf(func(text string) []map[string]any { return queryPostgres(t, dsn, text) }))
	assertLines(t, "run with all its columns", exported(t, p.unbroken(t)), exported(t, dsn))
	log, err := os.ReadFile(k.Log)
	require.NoError(t, err)
	failed, unopened := bytes.Count(log, []byte("Exporting failed. Will retry")), 0
	for line := range bytes.Lines(log) {
		if bytes.Contains(line, []byte("The run log cannot be written to")) && bytes.Contains(line, []byte("cannot open the run log in database")) {
			unopened++
		}
	}
	assert.Equal(t, p.without, unopened, "one line per start without the server says so")
	assert.Positive(t, k.restored, "there were runs in flight when the collector was killed")
	assert.Positive(t, failed, "there was something to write when the server was killed")
	t.Logf("%d kills of the server, %d of the collector, %d of them while the server was away; %d writes failed, "+
		"%.0f runs were in flight, %d requests acknowledged, %d runs, %d rows",
		servers, *crashes-servers, p.without, failed, k.restored, k.acked.Load(), len(k.runs()), len(rows))
}

// pair is a collector under load and the server that it writes to.
type pair struct {
	*killer
	server *pgtest.Server
	load   sync.WaitGroup
	// pace keeps the load below what the machine can do: otherwise it would be all that the machine does.
	pace *time.Ticker
	// away is set while the server is down.
	away bool
	// without is how often a collector was started while it was.
	without int
}

// start starts the collector and lets the senders send until it is dead.
func (p *pair) start(t *testing.T) {
	p.killer.start(t)
	p.load.Go(func() {
		p.send(t.Context(), t, true, endless, func() {
			select {
			case <-p.pace.C:
			case <-t.Context().Done():
			}
		})
	})
}

// restartServer does, while the senders go on.
func (p *pair) restartServer(t *testing.T) {
	require.NoError(t, p.server.Restart())
	p.away = false
}

// acknowledged waits until some more requests are.
func (p *pair) acknowledged(t *testing.T) {
	t.Helper()
	n := p.acked.Load() + 1 + p.random.Int64N(40)
	require.Eventually(t, func() bool { return p.acked.Load() >= n }, time.Minute, time.Millisecond)
}

// finish lets the senders tell the rest, to one more collector, and looks with another that nothing is left.
func (p *pair) finish(t *testing.T) {
	if p.away {
		p.restartServer(t)
	}
	p.kill()
	p.load.Wait()
	c := p.killer.start(t)
	p.send(t.Context(), t, false, endless, func() {})
	settled(t, c)
	require.NoError(t, c.Stop())
	c = p.killer.start(t)
	settled(t, c)
	require.NoError(t, c.Stop())
}

// unbroken is the run log of a collector that is told everything once, in order, and that nobody kills.
func (p *pair) unbroken(t *testing.T) string {
	c := start(t, t.TempDir(), quick+breakersStayClosed)
	for runs := range slices.Chunk(p.runs(), 100) {
		var events [][]byte
		for _, r := range runs {
			events = append(events, r.events...)
		}
		code, answer, err := c.Post(t.Context(), bytes.Join(events, []byte("\n")))
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, code, "%s", answer)
	}
	settled(t, c)
	require.NoError(t, c.Stop())
	return c.Database
}

// queryPostgres is [query] on PostgreSQL: it writes cells as SQLite has them.
func queryPostgres(t *testing.T, dsn, text string) []map[string]any {
	t.Helper()
	c, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close(t.Context())) }()
	answer, err := c.Query(t.Context(), text)
	require.NoError(t, err)
	rows, err := pgx.CollectRows(answer, pgx.RowToMap)
	require.NoError(t, err)
	for _, row := range rows {
		for column, cell := range row {
			switch v := cell.(type) {
			case time.Time:
				row[column] = v.UTC().Format(storedTime)
			case bool:
				row[column] = map[bool]int64{true: 1}[v]
			}
		}
	}
	return rows
}
