// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package sqlitestore

import (
	"context"
	"fmt"
	"time"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
)

// Retained reads the database's header and one entry of an index.
func (s *Store) Retained(ctx context.Context) (r runlog.Retained, err error) {
	if err := s.acquire(ctx); err != nil {
		return r, err
	}
	defer s.release()
	if r.Bytes, err = s.used(); err != nil {
		return r, explain("measure", s.path, err)
	}
	oldest, err := s.conn.number(oldestRun())
	if err != nil {
		return r, explain("measure", s.path, err)
	}
	if oldest > 0 {
		r.Oldest = time.UnixMicro(oldest).UTC()
	}
	return r, nil
}

// used is the size, in bytes, of the pages that hold something.
func (s *Store) used() (int64, error) {
	return s.conn.number("SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size")
}

// oldestRun asks for the time of the oldest run that has one; no row when there is none.
func oldestRun() string {
	a := ages[runlog.Runs]
	return fmt.Sprintf("SELECT %[1]s FROM %[2]s INDEXED BY %[3]s WHERE id <> 0 AND %[1]s > 0 ORDER BY %[1]s LIMIT 1",
		a.age, dataTable(runlog.Runs), a.index)
}
