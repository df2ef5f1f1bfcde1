// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/stageflow/otelcol-stageflow/internal/runlog"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/reader/readertest"
	"github.com/stageflow/otelcol-stageflow/internal/runlog/sqlitestore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write the golden files anew")

// newStore makes a log of some facts; it stays open for more.
func newStore(t testing.TB, facts ...*runlog.Row) (s *sqlitestore.Store, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "runlog.db")
	s, err := sqlitestore.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	readertest.Write(t, s, facts...)
	return s, path
}

// program is the cli without a terminal, at the time of the sample log.
func program(path string, out, errs *bytes.Buffer) *cli {
	return &cli{
		out: out, errors: errs, now: func() time.Time { return readertest.Now }, zone: time.UTC,
		getenv: func(name string) string { return map[string]string{logVariable: path}[name] },
	}
}

func run(t testing.TB, path string, width int, terminal bool, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	c := program(path, &o, &e)
	c.width, c.terminal = width, terminal
	code = c.run(context.Background(), args)
	return code, o.String(), e.String()
}

func TestGolden(t *testing.T) {
	_, path := newStore(t, readertest.Sample(t)...)
	for name, tt := range map[string]struct {
		width    int
		terminal bool
		args     []string
	}{
		"list-pipe":         {0, false, []string{"list"}},
		"list-80":           {80, false, []string{"list"}},
		"list-200":          {200, false, []string{"list"}},
		"list-colour":       {80, true, []string{"list", "--status", "failed,running"}},
		"list-json":         {80, true, []string{"list", "--json", "--limit", "2"}},
		"show-80":           {80, false, []string{"show", "7b54dffe"}},
		"show-200":          {200, false, []string{"show", "7b54dffe"}},
		"show-40":           {40, false, []string{"show", "7b54dffe"}},
		"show-colour":       {80, true, []string{"show", "7b54dffe"}},
		"show-json":         {80, true, []string{"show", "--json", "7b54dffe"}},
		"show-running-80":   {80, false, []string{"show", "c0ffee"}},
		"show-no-stages-80": {80, false, []string{"show", "0a6f"}},
		"failures-80":       {80, false, []string{"failures"}},
		"failures-200":      {200, false, []string{"failures"}},
		"providers-80":      {80, false, []string{"providers"}},
		"providers-200":     {200, false, []string{"providers"}},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := run(t, path, tt.width, tt.terminal, tt.args...)
			assert.Equal(t, exitOK, code)
			assert.Empty(t, errs)
			if tt.width > 0 && !strings.HasSuffix(name, "json") {
				for _, line := range strings.Split(out, "\n") {
					assert.LessOrEqual(t, width(plain(line)), tt.width, line)
				}
			}
			file := filepath.Join("testdata", name+".txt")
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(out), 0o600))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.Equal(t, string(want), out)
		})
	}
}

// plain is a line without its colours.
func plain(s string) string {
	for {
		i := strings.Index(s, "\x1b[")
		if i < 0 {
			return s
		}
		s = s[:i] + s[i+strings.IndexByte(s[i:], 'm')+1:]
	}
}

func TestNoColour(t *testing.T) {
	_, path := newStore(t, readertest.Sample(t)...)
	for variable, value := range map[string]string{"NO_COLOR": "1", "TERM": "dumb"} {
		var out, errs bytes.Buffer
		c := program(path, &out, &errs)
		c.terminal = true
		c.getenv = func(name string) string { return map[string]string{variable: value, logVariable: path}[name] }
		require.Equal(t, exitOK, c.run(context.Background(), []string{"list"}))
		assert.NotContains(t, out.String(), "\x1b")
	}
	_, out, _ := run(t, path, 0, true, "list")
	assert.Contains(t, out, "\x1b[31mfailed\x1b[0m")
}

func TestExitCodesAndOneLineOfAdvice(t *testing.T) {
	_, path := newStore(t, readertest.Sample(t)...)
	notALog := filepath.Join(t.TempDir(), "x.db")
	require.NoError(t, os.WriteFile(notALog, bytes.Repeat([]byte("no database "), 100), 0o600))
	for name, tt := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no command":         {nil, exitUsage, "say what to do"},
		"unknown command":    {[]string{"lst"}, exitUsage, "`runlog help` lists them"},
		"unknown flag":       {[]string{"list", "--stat", "x"}, exitUsage, "not defined: -stat"},
		"wrong status":       {[]string{"list", "--status", "broken"}, exitUsage, "one of running, completed"},
		"wrong time":         {[]string{"list", "--since", "yesterday"}, exitUsage, "say how long ago"},
		"wrong limit":        {[]string{"list", "--limit", "0"}, exitUsage, "from 1 to 10000"},
		"wrong interval":     {[]string{"tail", "--interval", "0s"}, exitUsage, "at least 10ms"},
		"operand too many":   {[]string{"list", "x"}, exitUsage, "list takes no"},
		"show what":          {[]string{"show"}, exitUsage, "name one run"},
		"show two":           {[]string{"show", "a", "b"}, exitUsage, "name one run"},
		"no such log":        {[]string{"list", "--log", filepath.Join(t.TempDir(), "none.db")}, exitError, "name the log with --log or STAGEFLOW_RUNLOG"},
		"not a log":          {[]string{"--log", notALog, "list"}, exitError, "not a SQLite database"},
		"unknown store":      {[]string{"--log", "redis://x", "list"}, exitError, "name a path or a postgres:// URL"},
		"unknown run":        {[]string{"show", "zzz"}, exitError, "`runlog list` has the last ones"},
		"ambiguous run":      {[]string{"show", "7b54"}, exitError, "7b54e000-0000-4000-8000-000000000001: give more of the id"},
		"nothing in an hour": {[]string{"list", "--until", "30d"}, exitOK, "no runs match"},
		"flags after":        {[]string{"show", "7b54dffe", "--json"}, exitOK, ""},
		"a run called -x":    {[]string{"show", "--", "-x"}, exitError, `no run "-x"`},
		"a hostile operand":  {[]string{"show", "\x1b[2J\nx"}, exitError, "no run"},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, errs := run(t, path, 80, false, tt.args...)
			assert.Equal(t, tt.code, code)
			assert.Contains(t, errs, tt.want)
			assert.LessOrEqual(t, strings.Count(errs, "\n"), 1)
			assert.NotContains(t, errs, "\x1b")
		})
	}
}

func TestHelpTeaches(t *testing.T) {
	for _, cmd := range commands {
		for _, args := range [][]string{{"help", cmd.name}, {cmd.name, "-h"}, {cmd.name, "--help"}} {
			code, out, errs := run(t, "none", 80, false, args...)
			assert.Equal(t, exitOK, code)
			assert.Empty(t, errs)
			assert.Contains(t, out, "\n  runlog "+cmd.name, "an example")
			assert.Contains(t, out, "--json")
		}
		_, out, _ := run(t, "none", 80, false, "help")
		assert.Contains(t, out, "runlog "+cmd.name)
		// Every flag is explained.
		fs := flag.NewFlagSet("", flag.ContinueOnError)
		cmd.set(&cli{}, fs)
		fs.VisitAll(func(f *flag.Flag) { assert.Contains(t, cmd.help, "--"+f.Name, cmd.name) })
	}
	for _, args := range [][]string{{"help"}, {"-h"}} {
		code, _, _ := run(t, "none", 80, false, args...)
		assert.Equal(t, exitOK, code)
	}
}

func TestTimes(t *testing.T) {
	c := &cli{now: func() time.Time { return readertest.Now }, zone: time.FixedZone("", 2*3600)}
	for text, want := range map[string]time.Time{
		"90s":                  readertest.Now.Add(-90 * time.Second),
		"1h30m":                readertest.Now.Add(-90 * time.Minute),
		"7d":                   readertest.Now.Add(-7 * 24 * time.Hour),
		"2w":                   readertest.Now.Add(-14 * 24 * time.Hour),
		"2026-11-22":           time.Date(2026, 11, 21, 22, 0, 0, 0, time.UTC),
		"2026-11-22T10:30":     time.Date(2026, 11, 22, 8, 30, 0, 0, time.UTC),
		"2026-11-22T10:30:05Z": time.Date(2026, 11, 22, 10, 30, 5, 0, time.UTC),
	} {
		got, err := c.parseTime(text)
		require.NoError(t, err, text)
		assert.True(t, want.Equal(got), "%s: %s", text, got)
	}
	for _, text := range []string{"", "-1h", "d", "1.5d", "-1d", "tomorrow", "2026-13-01"} {
		_, err := c.parseTime(text)
		assert.Error(t, err, text)
	}
}

// What --json says is what the log holds, and each line stands for itself.
func TestJSONRoundTrip(t *testing.T) {
	_, path := newStore(t, readertest.Sample(t)...)
	_, out, _ := run(t, path, 0, false, "list", "--json")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, 6)
	for _, line := range lines {
		var run map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &run))
		for _, c := range runlog.Runs.Columns {
			assert.Contains(t, run, c.Name)
		}
	}
	for _, command := range []string{"export", "failures", "providers"} {
		_, out, _ := run(t, path, 0, false, command, "--json", "--since", "30d")
		for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
			assert.True(t, json.Valid([]byte(line)), line)
		}
	}
	_, out, _ = run(t, path, 0, false, "export", "--status", "failed")
	var exported map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &exported))
	assert.Len(t, exported["stages"], 4)
}

// hostile is what a model, a user or an attacker may put into names and messages.
var hostile = []string{
	"\x1b[2J\x1b[31mred", "\x1b]0;title\x07", "a\r\nb\tc", "\x9b31m", "a\x08\x08b", "שלום (עולם) 123", "abc\u202egnp.exe", "e" + strings.Repeat("\u0301", 500),
	strings.Repeat("long ", 10_000), "語音助手" + strings.Repeat("語", 300), "👩‍👩‍👧", "\u200b\u2028\ufeff", "`rm -rf /`; $(x)", "<script>", strings.Repeat("\n", 1000), "\U000e0001\ue000",
}

func TestHostileTextsDoNotReachTheTerminal(t *testing.T) {
	var facts []*runlog.Row
	for i, text := range hostile {
		at := readertest.Now.Add(-time.Duration(i+1) * time.Second)
		id := fmt.Sprintf("%02d %s", i, text)
		cells := readertest.Cells{
			"run_id": id, "pipeline_name": text, "topology": text, "service": text, "status": "failed", "end_kind": "explicit", "started_at": at, "ended_at": at,
			"failed_stage": text, "error_code": text, "error_type": text, "error_message": text, "user_id": text, "session_id": text, "trace_id": text,
			"parent_run_id": "00 " + hostile[0], "breakers": `[{"key":"\u001b[2Jx","state":"\u009bm"}]`, "attributes": map[string]string{text: text},
		}
		facts = append(facts, readertest.Fact(t, runlog.Runs, at, cells),
			readertest.Fact(t, runlog.Stages, at, readertest.Cells{"run_id": id, "name": text, "attempt": 1, "status": text, "error_message": text, "reason": text}),
			readertest.Fact(t, runlog.ProviderCalls, at, readertest.Cells{"run_id": id, "call_id": text, "status": "failed", "provider": text, "operation": text,
				"model_id": text, "error_message": text, "breaker_state": text, "started_at": at}),
			readertest.Fact(t, runlog.ToolCalls, at, readertest.Cells{"run_id": id, "action_id": text, "tool_name": text, "started_at": at}),
			readertest.Fact(t, runlog.BreakerTransitions, at, readertest.Cells{"key": text, "source": "s", "generation": 1, "from_state": text, "to_state": text,
				"reason": text, "trace_id": text, "at": at}))
	}
	_, path := newStore(t, facts...)
	calls := [][]string{{"list"}, {"failures"}, {"providers"}}
	for i := range hostile {
		calls = append(calls, []string{"show", fmt.Sprintf("%02d", i)})
	}
	for _, w := range []int{10, 80, 200} {
		for _, args := range calls {
			code, out, errs := run(t, path, w, false, args...)
			require.Equal(t, exitOK, code, errs)
			for _, line := range strings.Split(strings.TrimSuffix(out, "\n"), "\n") {
				require.Equal(t, -1, strings.IndexFunc(line, harmful), "%q", line)
				require.LessOrEqual(t, width(line), w, "%q", line)
			}
		}
	}
	for _, args := range append(calls, []string{"export"}) {
		_, out, _ := run(t, path, 80, true, append(args, "--json")...)
		for _, line := range strings.Split(strings.TrimSuffix(out, "\n"), "\n") {
			require.Equal(t, -1, strings.IndexFunc(line, func(r rune) bool { return unicode.IsControl(r) || r >= 0x202a && r <= 0x202e }), "%q", line)
			require.True(t, json.Valid([]byte(line)))
		}
	}
}

func harmful(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && r != '\u2068' && r != '\u2069' || r == '\u2028'
}

// counter counts lines and keeps none.
type counter struct{ lines, most int }

func (c *counter) Write(b []byte) (int, error) {
	c.lines += bytes.Count(b, []byte("\n"))
	c.most = max(c.most, len(b))
	return len(b), nil
}

func TestExportStreams(t *testing.T) {
	const runs = 1000
	s, path := newStore(t)
	text := strings.Repeat("x", 20_000)
	for i := range runs {
		id := fmt.Sprintf("run-%04d", i)
		readertest.Write(t, s, readertest.Fact(t, runlog.Runs, readertest.Now, readertest.Cells{"run_id": id, "started_at": readertest.Now, "error_message": text}),
			readertest.Fact(t, runlog.Stages, readertest.Now, readertest.Cells{"run_id": id, "name": "llm", "attempt": 1, "error_message": text}))
	}
	var out counter
	var errs bytes.Buffer
	c := program(path, nil, &errs)
	c.out = &out
	peak := peakHeap(func() { require.Equal(t, exitOK, c.run(context.Background(), []string{"export"}), errs.String()) })
	assert.Equal(t, runs, out.lines)
	assert.Less(t, out.most, 3*len(text), "a run at a time")
	assert.Less(t, peak, int64(runs*len(text)), "less than half of what was written is ever in memory")
}
