// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummaryprocessor

import (
	"encoding/csv"
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// Every text of the corpora, as instrumentations put it on spans: in an exception event, in attributes, in the status
// with error.type.
func TestCorpora(t *testing.T) {
	for _, file := range []string{"error_samples", "field_samples", "more_samples"} {
		f, err := os.Open("../../sdk/errorsummary/testdata/" + file + ".csv")
		require.NoError(t, err)
		defer f.Close()
		rows, err := csv.NewReader(f).ReadAll()
		require.NoError(t, err)
		for _, cells := range rows[1:] {
			row := map[string]string{}
			for i, name := range rows[0] {
				row[name] = cells[i]
			}
			statuses := map[string]any{}
			for column, key := range map[string]string{"http_status": semconv.HTTPStatusCodeKey, "rpc_grpc_status": semconv.RPCGRPCStatusCodeKey} {
				if row[column] != "" {
					n, err := strconv.Atoi(row[column])
					require.NoError(t, err)
					statuses[key] = n
				}
			}
			with := func(attrs map[string]any) map[string]any {
				for k, v := range statuses {
					attrs[k] = v
				}
				return attrs
			}
			e := exception(row["exception_type"], row["message"])
			got := run(t, batch(t,
				span{id: 1, attrs: with(map[string]any{semconv.ErrorTypeKey: row["error_type"]}), events: []map[string]any{e}, message: row["message"]},
				span{id: 2, attrs: with(exception(row["exception_type"], row["message"]))},
				span{id: 3, attrs: with(map[string]any{semconv.ErrorTypeKey: row["exception_type"]}), message: row["message"]},
			))
			for id, attrs := range got {
				assert.Equal(t, row["expected_code"], attrs[semconv.ErrorCodeKey], "%s form %d", row["id"], id)
				assert.Equal(t, row["expected_retryable"], fmt.Sprint(attrs[semconv.ErrorRetryableKey]), "%s form %d", row["id"], id)
			}
		}
	}
}
