// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every symbol of the framework's API document has a row in the README, whose Go counterparts, example and tests exist.
func TestAPIIsComplete(t *testing.T) {
	document, err := os.ReadFile("testdata/observability-api.md")
	require.NoError(t, err)
	wanted := apiSymbols(string(document))
	for _, symbol := range []string{ // the parser of the document finds what a reader does
		"PipelineRunLogger.log_run_failed", "PipelineRunLogger.log_run_failed(stage)", "ProviderCallLogger.log_call_end(**metrics)",
		"CircuitBreaker.record_failure(reason)", "CircuitBreakerOpenError(provider)", "summarize_pipeline_error", "get_circuit_breaker",
		"NoOpProviderCallLogger", "BufferedExporter(high_water_mark)", "ConsoleExporter", "StageflowTracer.start_span(kind)",
		"TraceContext(baggage)", "TraceContext.from_headers", "clear_correlation_id", "OTEL_AVAILABLE", "stream.buffer_recovered", "ChunkQueue",
	} {
		require.Contains(t, wanted, symbol)
	}

	rows := apiRows(t)
	declared, tests := declarations(t)
	for symbol := range wanted {
		assert.Contains(t, rows, symbol, "%s has no row in the README", symbol)
	}
	for symbol, row := range rows {
		assert.Contains(t, wanted, symbol, "the API document has no %s", symbol)
		assert.NotEmpty(t, row.goNames, symbol)
		for _, name := range row.goNames {
			assert.Contains(t, declared, name, symbol)
		}
		assert.True(t, slices.ContainsFunc(row.tests, func(name string) bool { return strings.HasPrefix(name, "Example") }), "%s has no example", symbol)
		for _, name := range row.tests {
			assert.Contains(t, tests, name, symbol)
		}
	}
}

var (
	headingOfAPI   = regexp.MustCompile("^##+ ([A-Za-z_]+)(?: Protocol)?$")
	methodOfAPI    = regexp.MustCompile("^#### `([a-z_]+)\\((.*)\\)")
	parameterOfAPI = regexp.MustCompile("^- `([*a-z_]+)`: `|^- `(\\*\\*[a-z]+)` — ")
	namedInAPI     = regexp.MustCompile(`(?:^|, )([a-z_]+)(?:[:=,]|$)`)
	importOfAPI    = regexp.MustCompile(`(?s)from stageflow\.[a-z]+ import (?:\(([^)]*)\)|([^\n]*))`)
	eventOfAPI     = regexp.MustCompile("`(stream\\.[a-z_]+)`")
	fieldOfAPI     = regexp.MustCompile(`^    ([a-z_]+): `)
	// chapters are headings that name no symbol.
	chapters = map[string]bool{"Methods": true}
)

// apiSymbols finds classes, functions, constants, methods, their parameters, and events in the API document:
// "Class", "Class.method", "Class.method(parameter)", "Class(attribute)", "function", "stream.event".
func apiSymbols(document string) map[string]bool {
	symbols := map[string]bool{}
	for _, m := range importOfAPI.FindAllStringSubmatch(document, -1) {
		for name := range strings.SplitSeq(m[1]+m[2], ",") {
			if name = strings.TrimSpace(name); name != "" {
				symbols[name] = true
			}
		}
	}
	for _, m := range eventOfAPI.FindAllStringSubmatch(document, -1) {
		symbols[m[1]] = true
	}
	class, of, code := "", "", false
	for line := range strings.Lines(document) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "```") {
			code = !code
			continue
		}
		if code {
			if m := fieldOfAPI.FindStringSubmatch(line); m != nil && class == "TraceContext" && of == class {
				symbols[class+"("+m[1]+")"] = true // the constructor's
			}
			continue
		}
		if m := methodOfAPI.FindStringSubmatch(line); m != nil {
			of = class + "." + m[1]
			symbols[of] = true
			for _, name := range namedInAPI.FindAllStringSubmatch(m[2], -1) {
				symbols[of+"("+name[1]+")"] = true
			}
			continue
		}
		if m := headingOfAPI.FindStringSubmatch(line); m != nil && !chapters[m[1]] {
			class, of = m[1], m[1]
			symbols[class] = true
			continue
		}
		if m := parameterOfAPI.FindStringSubmatch(line); m != nil && of != "" {
			symbols[of+"("+m[1]+m[2]+")"] = true
		}
	}
	return symbols
}

type apiRow struct{ goNames, tests []string }

var (
	quoted   = regexp.MustCompile("`([^`]+)`")
	inParens = regexp.MustCompile(`^([A-Za-z_.]+)\((.*)\)$`)
)

// apiRows reads the table of the README. A symbol with several parameters in its parentheses stands for each of them.
func apiRows(t *testing.T) map[string]apiRow {
	t.Helper()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(readme), "| API | Go | test | difference |\n|---|---|---|---|\n")
	require.True(t, found, "the README has no table of the API")
	rows := map[string]apiRow{}
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		require.Len(t, cells, 4, line)
		row := apiRow{goNames: namesIn(cells[1]), tests: namesIn(cells[2])}
		for _, symbol := range quoted.FindAllStringSubmatch(cells[0], -1) {
			name, parameters := symbol[1], ""
			if m := inParens.FindStringSubmatch(name); m != nil {
				name, parameters = m[1], m[2]
			}
			assert.NotContains(t, rows, name, "stands twice")
			rows[name] = row
			for p := range strings.SplitSeq(parameters, ", ") {
				if p != "" {
					rows[name+"("+p+")"] = row
				}
			}
		}
	}
	return rows
}

func namesIn(cell string) (names []string) {
	for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
		names = append(names, m[1])
	}
	return names
}

// declarations are the exported names of this package ("Run", "Client.Flush", "CallEnd.Success") and the names of its
// tests and examples.
func declarations(t *testing.T) (exported, tests map[string]bool) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	exported, tests = map[string]bool{}, map[string]bool{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		into := exported
		if strings.HasSuffix(file, "_test.go") {
			into = tests
		}
		for _, d := range parsed.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				into[receiverOf(d)+d.Name.Name] = true
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					declare(spec, into)
				}
			}
		}
	}
	return exported, tests
}

func receiverOf(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	switch generic := typ.(type) {
	case *ast.IndexExpr:
		typ = generic.X
	case *ast.IndexListExpr:
		typ = generic.X
	}
	return typ.(*ast.Ident).Name + "."
}

func declare(spec ast.Spec, into map[string]bool) {
	switch s := spec.(type) {
	case *ast.ValueSpec:
		for _, name := range s.Names {
			into[name.Name] = true
		}
	case *ast.TypeSpec:
		into[s.Name.Name] = true
		var members *ast.FieldList
		switch typ := s.Type.(type) {
		case *ast.StructType:
			members = typ.Fields
		case *ast.InterfaceType:
			members = typ.Methods
		default:
			return
		}
		for _, m := range members.List {
			for _, name := range m.Names {
				into[s.Name.Name+"."+name.Name] = true
			}
		}
	}
}
