// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// rulesCSV is the table; its head explains the columns.
//
//go:embed rules.csv
var rulesCSV string

// The names of the two answers that no row gives.
const (
	// RuleExisting: the code came with the failure.
	RuleExisting = "existing_code"
	// RuleNone: no row fits, the code is UNKNOWN.
	RuleNone = "none"
)

// rank is how early a finding counts; the first that has one decides.
type rank uint8

const (
	rankFirst rank = iota
	rankBreaker
	rankProvider
	rankType
	// The statuses stand here, between the types and the names that repeat a status.
	rankNamed
	rankGeneric
	rankMention // a type's name inside the text
	rankLast
	rankLastMention
	rankCount
)

// blocks are the names of the ranks in the table.
var blocks = map[string]rank{
	"first": rankFirst, "breaker": rankBreaker, "provider": rankProvider, "type": rankType,
	"named": rankNamed, "telling": rankGeneric, "generic": rankGeneric, "last": rankLast,
}

// looks are what a row may look at, with the blocks that it may stand in.
var looks = map[string][]string{
	"type":       {"first", "breaker", "provider", "type", "named", "last"},
	"text":       {"first", "breaker", "provider", "type", "telling", "generic"},
	"go text":    {"breaker"},
	"says":       {"first", "type"},
	"grpc":       {"grpc"},
	"http":       {"http", "http class"},
	"http after": {"status"},
	"grpc after": {"status"},
}

// rule is one row of the table.
type rule struct {
	name, block, look, code, why, source string
	// matches are the alternatives.
	matches   []string
	retryable bool
}

// table is the rows, made fast to look up.
type table struct {
	rules []rule
	types *automaton
	texts *automaton
	// anywhere is the texts of the block "first": they count in all of a message, however long it is.
	anywhere []needle
	// says, http and grpc hold row numbers; none is -1.
	says map[string]int
	http [600]int
	grpc [17]int
}

// compiled is the table that is built in.
var compiled = sync.OnceValue(func() *table {
	t, err := compile(rulesCSV)
	if err != nil {
		panic(err) // a mistake in the file that every test finds
	}
	return t
})

func compile(text string) (*table, error) {
	rules, err := readRules(text)
	if err != nil {
		return nil, err
	}
	t := &table{rules: rules, says: map[string]int{}}
	for i := range t.http {
		t.http[i] = -1
	}
	for i := range t.grpc {
		t.grpc[i] = -1
	}
	var types, texts builder
	for i := range rules {
		if err := t.add(i, &types, &texts); err != nil {
			return nil, fmt.Errorf("rule %s: %w", rules[i].name, err)
		}
		if rules[i].block == "first" && rules[i].look == "text" {
			for _, m := range rules[i].matches {
				t.anywhere = append(t.anywhere, newNeedle(m, i))
			}
		}
	}
	t.types, t.texts = types.build(), texts.build()
	return t, nil
}

var columns = []string{"name", "block", "look", "match", "code", "retryable", "why", "source"}

func readRules(text string) ([]rule, error) {
	r := csv.NewReader(strings.NewReader(text))
	r.Comment = '#'
	r.FieldsPerRecord = len(columns)
	head, err := r.Read()
	if err != nil {
		return nil, err
	}
	if !slices.Equal(head, columns) {
		return nil, fmt.Errorf("columns are %v, not %v", head, columns)
	}
	var rules []rule
	for {
		row, err := r.Read()
		if err == io.EOF {
			return rules, nil
		}
		if err != nil {
			return nil, err
		}
		ru := rule{name: row[0], block: row[1], look: row[2], code: row[4], why: row[6], source: row[7]}
		for m := range strings.SplitSeq(row[3], "|") {
			m = strings.TrimSpace(m)
			if m == "" {
				return nil, fmt.Errorf("rule %s: an empty alternative fits everything", ru.name)
			}
			ru.matches = append(ru.matches, m)
		}
		ru.retryable = Retryable(ru.code)
		switch row[5] {
		case "":
		case "yes", "no":
			ru.retryable = row[5] == "yes"
		default:
			return nil, fmt.Errorf("rule %s: retryable is %q, not yes or no", ru.name, row[5])
		}
		if !slices.Contains(looks[ru.look], ru.block) {
			return nil, fmt.Errorf("rule %s: look %q does not stand in block %q", ru.name, ru.look, ru.block)
		}
		rules = append(rules, ru)
	}
}

func (t *table) add(i int, types, texts *builder) error {
	r := &t.rules[i]
	for _, m := range r.matches {
		switch r.look {
		case "says":
			t.says[m] = i
		case "http":
			from, to, _ := strings.Cut(m, "-")
			if to == "" {
				to = from
			}
			lo, err1 := strconv.Atoi(from)
			hi, err2 := strconv.Atoi(to)
			if err1 != nil || err2 != nil || lo < 400 || hi >= len(t.http) {
				return fmt.Errorf("%q is no status", m)
			}
			for s := lo; s <= hi; s++ {
				if t.http[s] < 0 {
					t.http[s] = i
				}
			}
		case "grpc":
			s, ok := ParseGRPCStatus(m)
			if !ok {
				return fmt.Errorf("%q is no status", m)
			}
			t.grpc[s] = i
		case "http after":
			texts.add(m, found{kind: foundHTTP, rule: i})
		case "grpc after":
			texts.add(m, found{kind: foundGRPC, rule: i})
		case "text":
			texts.add(m, found{kind: foundRule, rule: i, rank: blocks[r.block]})
		case "go text":
			texts.add(m, found{kind: foundGo, rule: i, rank: blocks[r.block]})
		case "type":
			t.addType(i, m, types, texts)
		}
	}
	return nil
}

// addType adds a type's name to the names, and to the texts when it cannot be an ordinary word: many texts are
// "Retry failed, last was ReadTimeout(...)".
func (t *table) addType(i int, m string, types, texts *builder) {
	name, tail := strings.CutPrefix(m, "*")
	in := blocks[t.rules[i].block]
	pattern := name + "$"
	if !tail {
		pattern = "<" + pattern
	}
	types.add(pattern, found{kind: foundRule, rule: i, rank: in})
	for _, end := range []string{"error", "exception", "timeout"} {
		if len(name) >= len("keyerror") && strings.HasSuffix(name, end) || tail && name == end {
			mention := rankMention
			if in == rankLast {
				mention = rankLastMention
			}
			pattern = name + ">"
			if !tail {
				pattern = "<" + pattern
			}
			texts.add(pattern, found{kind: foundName, rule: i, rank: mention})
			return
		}
	}
}
