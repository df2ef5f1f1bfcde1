// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sqlitestore

import (
	"database/sql/driver"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/runlogtest"
)

// bare is what one would write without a rule for merging: the same rows, one prepared statement each, by the same
// library with the same pragmas over what is stored, into tables with their primary keys only. It is even told the runs'
// numbers.
type bare struct {
	conn
	insert  map[*runlog.Table]stmt
	numbers map[string]int64
}

func newBare(b *testing.B) bare {
	c, err := openConn(filepath.Join(b.TempDir(), "bare.db"))
	require.NoError(b, err)
	require.NoError(b, c.exec(pragmas+"PRAGMA synchronous = normal"))
	loop := bare{c, map[*runlog.Table]stmt{}, map[string]int64{}}
	types := map[runlog.Type]string{runlog.Text: "TEXT", runlog.JSON: "TEXT", runlog.Real: "REAL"}
	for _, t := range runlog.Tables {
		cells, tail := []string{}, fmt.Sprintf(", PRIMARY KEY (%s)) WITHOUT ROWID", strings.Join(keyColumns(t), ", "))
		if t == runlog.Runs {
			cells, tail = append(cells, "id INTEGER PRIMARY KEY"), ", UNIQUE (run_id))"
		}
		for i, col := range t.Columns {
			name, typ := col.Name, types[col.Type]
			if i == 0 && belowRun(t) {
				name, typ = "run", "INTEGER"
			}
			cells = append(cells, strings.TrimSpace(name+" "+typ))
		}
		require.NoError(b, c.exec(fmt.Sprintf("CREATE TABLE bare_%s (%s%s", t.Name, strings.Join(cells, ", "), tail)))
		loop.insert[t], err = c.prepare(fmt.Sprintf("INSERT OR REPLACE INTO bare_%s VALUES (?%s)", t.Name, strings.Repeat(", ?", len(cells)-1)))
		require.NoError(b, err)
	}
	b.Cleanup(func() {
		for _, s := range loop.insert {
			require.NoError(b, s.Close())
		}
		require.NoError(b, c.Close())
	})
	return loop
}

// bareRow is a row as the library takes it.
type bareRow struct {
	insert stmt
	args   args
}

func (l bare) rows(b *runlog.Batch) (rows []bareRow) {
	add := func(r *runlog.Row, number int64) {
		row := bareRow{insert: l.insert[r.Table()]}
		if r.Table() == runlog.Runs {
			row.args.add(number)
		}
		for i := range r.Table().Columns {
			row.args.addCell(r, i, r.Value(i), number)
		}
		rows = append(rows, row)
	}
	for _, run := range b.Runs {
		number, ok := l.numbers[run.ID]
		if !ok {
			number = int64(len(l.numbers) + 1)
			l.numbers[run.ID] = number
		}
		add(run.Row, number)
		for _, g := range run.Groups {
			for _, r := range g.Rows {
				add(r, number)
			}
		}
	}
	return rows
}

func (l bare) write(rows []bareRow) error {
	return l.transaction(func() error {
		for _, r := range rows {
			if _, err := r.insert.Stmt.(driver.StmtExecContext).ExecContext(background, r.args); err != nil {
				return err
			}
		}
		return nil
	})
}

// BenchmarkWrite writes batches of 400 runs of 9 rows each, by turns with the store and with the bare loop: all at once,
// when logs and spans come in the same batch; or first the log facts and then, in another transaction, the span facts
// that take their place.
func BenchmarkWrite(b *testing.B) {
	const runs = 400
	for _, bench := range []struct {
		name  string
		parts []func(*runlog.Batch, int)
	}{
		{"spans only", []func(*runlog.Batch, int){runlogtest.Ended}},
		{"logs, then the spans", []func(*runlog.Batch, int){runlogtest.Started, runlogtest.Ended}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			s, loop := open(b, filepath.Join(b.TempDir(), "runlog.db")), newBare(b)
			defer s.Close()
			b.ReportAllocs()
			var store, bare spent
			rows, n := int64(0), 0
			for b.Loop() {
				for _, part := range bench.parts {
					batch := runlog.NewBatch()
					for i := range runs {
						part(batch, n*runs+i)
					}
					bareRows := loop.rows(batch)
					turns := []func(){
						func() {
							defer store.since(now())
							res, err := s.Write(ctx, batch)
							require.NoError(b, err)
							for _, changed := range res.Rows {
								rows += changed
							}
						},
						func() {
							defer bare.since(now())
							require.NoError(b, loop.write(bareRows))
						},
					}
					turns[n%2]() // neither always comes second
					turns[1-n%2]()
				}
				n++
			}
			kept, err := s.Retained(ctx)
			require.NoError(b, err)
			b.ReportMetric(float64(rows)/store.wall.Seconds(), "rows/s")
			b.ReportMetric(float64(n*runs)/store.wall.Seconds(), "runs/s")
			b.ReportMetric(float64(n*runs)/bare.wall.Seconds(), "bare-runs/s")
			b.ReportMetric(100*bare.wall.Seconds()/store.wall.Seconds(), "%of-bare")
			b.ReportMetric(float64(store.cpu.Microseconds())/float64(n*runs), "µs-CPU/run")
			b.ReportMetric(float64(bare.cpu.Microseconds())/float64(n*runs), "bare-µs-CPU/run")
			b.ReportMetric(float64(kept.Bytes)/float64(n*runs), "B/run")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// spent is time that passed and time that processors worked.
type spent struct{ wall, cpu time.Duration }

func (s *spent) since(begin clock) {
	end := now()
	s.wall += end.wall.Sub(begin.wall)
	s.cpu += end.cpu - begin.cpu
}

type clock struct {
	wall time.Time
	cpu  time.Duration
}

func now() clock {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return clock{time.Now(), time.Duration(u.Utime.Nano() + u.Stime.Nano())}
}
