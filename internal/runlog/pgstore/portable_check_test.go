// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package pgstore

import (
	"encoding/csv"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// taken is what all servers take, by kind, and refused what one does not; see testdata.
type (
	taken   map[string]map[string]bool
	refused struct {
		construct, example, by, why, source string
		pattern                             *regexp.Regexp
	}
)

func readTable(t *testing.T, name string) [][]string {
	f, err := os.Open("testdata/" + name)
	require.NoError(t, err)
	defer f.Close()
	r := csv.NewReader(f)
	r.Comment, r.FieldsPerRecord = '#', -1
	rows, err := r.ReadAll()
	require.NoError(t, err)
	return rows[1:] // the first names the columns
}

func whatIsTaken(t *testing.T) taken {
	out := taken{"name": {}}
	for _, row := range readTable(t, "portable_taken.csv") {
		words := strings.Fields(row[1])
		if row[0] == "division" {
			words = row[1:2]
		}
		if out[row[0]] == nil {
			out[row[0]] = map[string]bool{}
		}
		for _, w := range words {
			out[row[0]][w] = true
		}
	}
	return out
}

func whatIsRefused(t *testing.T) (out []refused) {
	for _, row := range readTable(t, "portable_refused.csv") {
		require.Len(t, row, 6)
		out = append(out, refused{row[0], row[2], row[3], row[4], row[5], regexp.MustCompile(row[1])})
	}
	return out
}

// sqlToken finds white space, a comment, a text, a quoted name, a word, a parameter or number, or an operator.
var sqlToken = regexp.MustCompile(`(?s)^(?:\s+|--[^\n]*|/\*.*?\*/|('(?:[^']|'')*')|"((?:[^"]|"")*)"|([A-Za-z_][A-Za-z_0-9]*)|(\$[0-9]+|[0-9][0-9.]*)|(::|<>|<=|>=|[-+*/|=<>~!@#%^&?]+|[][().,;:$\\]))`)

const (
	// aText is the token of any text: what it holds does not matter.
	aText  = "''"
	aQuote = `"`
)

// tokens are the tokens of a text, words in lower case, quoted names within quotes, parameters as numbers.
func tokens(sql string) (out []string, err error) {
	for sql != "" {
		m := sqlToken.FindStringSubmatchIndex(sql)
		if m == nil {
			return nil, fmt.Errorf("cannot read %.40q", sql)
		}
		part := func(n int) string { return sql[m[2*n]:m[2*n+1]] }
		switch {
		case m[2] >= 0:
			out = append(out, aText)
		case m[4] >= 0:
			out = append(out, aQuote+part(2)+aQuote)
		case m[6] >= 0:
			out = append(out, strings.ToLower(part(3)))
		case m[8] >= 0:
			out = append(out, strings.ReplaceAll(part(4), "$", ""))
		case m[10] >= 0:
			out = append(out, part(5))
		}
		sql = sql[m[1]:]
	}
	return out, nil
}

var isWord = regexp.MustCompile(`^[a-z_]`).MatchString

// objections are what somebody has against a text. relations are names of tables and views, columns all other names of
// the schema.
func objections(sql string, known taken, refuse []refused, relations, columns map[string]bool) (out []string) {
	all, err := tokens(sql)
	if err != nil {
		return []string{err.Error()}
	}
	object := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	line := strings.Join(all, " ")
	unquoted := strings.ReplaceAll(line, aQuote, "")
	for _, r := range refuse {
		if r.pattern.MatchString(unquoted) {
			object("%s: refused by %s, %s (%s)", r.construct, r.by, r.why, r.source)
		}
	}
	for d := range known["division"] {
		line = strings.ReplaceAll(line, d, "")
	}
	if strings.Contains(line, " / ") {
		object("a division that portable_taken.csv does not name")
	}
	at := func(i int) string {
		if i < 0 || i >= len(all) {
			return ""
		}
		return all[i]
	}
	aliases := map[string]bool{}
	for i, w := range all {
		if w == "as" && at(i-2) == "window" || at(i-2) == "with" {
			aliases[at(i-1)] = true
		}
		if w == "as" && isWord(at(i+1)) && !known["word"][at(i+1)] {
			aliases[at(i+1)] = true
		}
	}
	for i, w := range all {
		switch {
		case w == aText || w[0] >= '0' && w[0] <= '9' || w == "/":
		case w == "as" && inCast(all[:i]) && !known["type"][at(i+1)]:
			object("type %s in CAST", at(i+1))
		case w == "::" && !known["type"][at(i+1)]:
			object("type %s", at(i+1))
		case strings.HasPrefix(w, aQuote):
			if name := strings.Trim(w, aQuote); at(i+1) == "(" && !relations[name] {
				object("function %s", w)
			}
		case !isWord(w):
			if !known["operator"][w] {
				object("operator %s", w)
			}
		case known["word"][w]:
		case at(i+1) == aText:
			if !known["type"][w] {
				object("type %s", w)
			}
		case at(i+1) == "(" && at(i-1) != "as" && !relations[w]:
			if !known["function"][w] {
				object("function %s", w)
			}
		case !known["type"][w] && !known["name"][w] && !relations[w] && !columns[w] && !aliases[w]:
			object("word %s", w)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// inCast tells whether the innermost parenthesis that is open after the tokens is that of CAST.
func inCast(before []string) bool {
	depth := 0
	for i, w := range slices.Backward(before) {
		switch w {
		case ")":
			depth++
		case "(":
			if depth--; depth < 0 {
				return i > 0 && before[i-1] == "cast"
			}
		}
	}
	return false
}

// namesOf are the names of a schema as the server has them: of relations, and of columns and indexes.
func namesOf(t *testing.T, dsn, schema string) (relations, others map[string]bool) {
	set := func(sql string) map[string]bool {
		out := map[string]bool{}
		for _, name := range query(t, dsn, sql, schema) {
			out[name] = true
		}
		return out
	}
	relations = set("SELECT relname FROM pg_class WHERE relnamespace = $1::text::regnamespace AND relkind IN ('r', 'v')")
	others = set("SELECT relname FROM pg_class WHERE relnamespace = $1::text::regnamespace AND relkind = 'i'")
	maps.Copy(others, set("SELECT DISTINCT attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = $1::text::regnamespace AND attnum > 0"))
	return relations, others
}
