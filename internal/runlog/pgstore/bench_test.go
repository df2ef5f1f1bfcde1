// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package pgstore

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/pgstore/pgtest"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/runlogtest"
)

// bare is what one would write without a rule for merging: the same rows, by COPY into a temporary table and from
// there over what is stored, into tables with their primary keys only.
type bare struct {
	conn *pgx.Conn
}

func newBare(b *testing.B, dsn string) bare {
	c, err := pgx.Connect(ctx, dsn)
	require.NoError(b, err)
	b.Cleanup(func() { c.Close(ctx) })
	for _, t := range runlog.Tables {
		var cells, keys []string
		for i, col := range columns(t)[:len(t.Columns)] {
			typ := col.sqlType.name
			if t.Columns[i].Type == runlog.JSON {
				typ = "jsonb"
			}
			if col.key {
				keys = append(keys, col.name)
				typ += ` NOT NULL`
				if col.sqlType == textType {
					typ = `text COLLATE "C" NOT NULL`
				}
			}
			cells = append(cells, col.name+" "+typ)
		}
		for _, sql := range []string{
			fmt.Sprintf("CREATE TABLE bare_%s (%s, PRIMARY KEY (%s))", t.Name, strings.Join(cells, ", "), strings.Join(keys, ", ")),
			fmt.Sprintf("CREATE TEMP TABLE copy_%s (LIKE bare_%[1]s) ON COMMIT DELETE ROWS", t.Name),
		} {
			_, err := c.Exec(ctx, sql)
			require.NoError(b, err, sql)
		}
	}
	return bare{c}
}

// rows are a batch's rows as COPY takes them.
func (bare) rows(b *runlog.Batch) map[*runlog.Table][][]any {
	out := map[*runlog.Table][][]any{}
	w := writer{Store: &Store{statements: make([]*statements, len(runlog.Tables))}}
	for i, items := range w.items(b) {
		t := runlog.Tables[i]
		for _, it := range items {
			cells := make([]any, len(t.Columns))
			for n, c := range t.Columns {
				v := it.fact.Value(n)
				switch {
				case v.IsNull():
				case v.Kind() == runlog.String:
					cells[n] = v.Text()
				case v.Kind() == runlog.Float:
					cells[n] = v.Float()
				case c.Type == runlog.Boolean:
					cells[n] = v.Int() != 0
				case c.Type == runlog.Time:
					cells[n] = time.UnixMicro(v.Int())
				default:
					cells[n] = v.Int()
				}
			}
			out[t] = append(out[t], cells)
		}
	}
	return out
}

func (c bare) write(rows map[*runlog.Table][][]any) error {
	return pgx.BeginFunc(ctx, c.conn, func(tx pgx.Tx) error {
		for _, t := range runlog.Tables {
			if len(rows[t]) == 0 {
				continue
			}
			var names, keys, set []string
			for _, col := range t.Columns {
				names = append(names, col.Name)
				if col.Merge == runlog.Key {
					keys = append(keys, quote(col.Name))
				} else {
					set = append(set, fmt.Sprintf("%[1]s = excluded.%[1]s", quote(col.Name)))
				}
			}
			if _, err := tx.CopyFrom(ctx, pgx.Identifier{"copy_" + t.Name}, names, pgx.CopyFromRows(rows[t])); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, fmt.Sprintf("INSERT INTO bare_%s SELECT * FROM copy_%[1]s ON CONFLICT (%s) DO UPDATE SET %s",
				t.Name, strings.Join(keys, ", "), strings.Join(set, ", "))); err != nil {
				return err
			}
		}
		return nil
	})
}

// BenchmarkWrite writes batches of 400 runs of 9 rows each, by turns with the store and with the bare loop: all at
// once, when logs and spans come in the same batch; or first the log facts and then, in another transaction, the span
// facts that take their place, with the runs remembered or not (as after a restart, or by another collector).
func BenchmarkWrite(b *testing.B) {
	const runs = 400
	type part = func(*runlog.Batch, int)
	for _, bench := range []struct {
		name   string
		parts  []part
		forget bool
	}{
		{"spans only", []part{runlogtest.Ended}, false},
		{"logs, then the spans", []part{runlogtest.Started, runlogtest.Ended}, false},
		{"logs, then the spans elsewhere", []part{runlogtest.Started, runlogtest.Ended}, true},
	} {
		b.Run(bench.name, func(b *testing.B) {
			server := pgtest.Start(b)
			dsn := server.Database(b)
			s, loop := open(b, Options{DSN: dsn}), newBare(b, dsn)
			defer s.Close()
			var took, bareTook, client, serverCPU time.Duration
			rows, n := int64(0), 0
			for b.Loop() {
				for _, part := range bench.parts {
					batch := runlog.NewBatch()
					for i := range runs {
						part(batch, n*runs+i)
					}
					copied := loop.rows(batch)
					if bench.forget {
						s.cache.clear()
					}
					store := func() {
						begin, c, sc := time.Now(), pgtest.CPU(), server.CPU()
						res, err := s.Write(ctx, batch)
						took += time.Since(begin)
						client, serverCPU = client+pgtest.CPU()-c, serverCPU+server.CPU()-sc
						require.NoError(b, err)
						for _, changed := range res.Rows {
							rows += changed
						}
					}
					bare := func() {
						begin := time.Now()
						require.NoError(b, loop.write(copied))
						bareTook += time.Since(begin)
					}
					if n%2 == 0 { // neither always comes second
						store()
						bare()
					} else {
						bare()
						store()
					}
				}
				n++
			}
			b.ReportMetric(float64(rows)/took.Seconds(), "rows/s")
			b.ReportMetric(float64(n*runs)/took.Seconds(), "runs/s")
			b.ReportMetric(float64(n*runs)/bareTook.Seconds(), "bare-runs/s")
			b.ReportMetric(100*bareTook.Seconds()/took.Seconds(), "%of-bare")
			b.ReportMetric(float64(client.Microseconds())/float64(n*runs), "µs-client/run")
			b.ReportMetric(float64(serverCPU.Microseconds())/float64(n*runs), "µs-server/run")
			b.ReportMetric(0, "ns/op")
		})
	}
}
