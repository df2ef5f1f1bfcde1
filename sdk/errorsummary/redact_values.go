// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

import "strings"

// value is what stands behind a separator.
type value struct {
	// from is where it begins, behind its quote.
	from int
	// quote is the one around it, 0 without. slashes: so many backslashes before it, as in JSON within JSON.
	quote   byte
	slashes int
	// spaced: there is a space before it.
	spaced bool
	// bracket: it stands in [ ], as in a Go header or a JSON list.
	bracket bool
	// call: it is what a call is given: SecretStr('…').
	call bool
}

// maxValue is how much of a value is looked at before it is taken for a secret.
const maxValue = 128

// valueAt finds the value behind a separator that ends before i.
func (sc *redactor) valueAt(i int) (v value) {
	s, j := sc.s, i
	defer func() { sc.steps += j - i }()
	if j < len(s) && (s[j] == '=' || s[j] == '>') { // := => ==
		j++
	}
	for j < len(s) && (s[j] == ' ' || s[j] == '\t') {
		v.spaced = true
		j++
	}
	if j < len(s) && s[j] == '[' {
		v.bracket = true
		j++
	}
	// b'…', SecretStr('…')
	k := j
	for k < len(s) && k-j < maxValue && (alnum(s[k]) || s[k] == '_' || s[k] == '.') {
		k++
	}
	if k > j && k < len(s) && s[k] == '(' {
		v.call = true
		k++
	} else if k-j > 1 || k-j == 1 && strings.IndexByte("bBrRuU", s[j]) < 0 {
		k = j
	}
	q := k
	for q < len(s) && q-k < 8 && s[q] == '\\' {
		q++
	}
	if q < len(s) && isQuote(s[q]) {
		v.quote, v.slashes = s[q], q-k
		j = q + 1
	} else {
		v.call = false
	}
	v.from = j
	return v
}

// end is where the value ends, looking no further than limit. closed: something ends it before.
func (sc *redactor) end(v value, limit int) (end int, closed bool) {
	s := sc.s
	limit = min(limit, len(s))
	slashes := 0
	for end = v.from; end < limit; end++ {
		c := s[end]
		switch {
		case v.quote != 0 && c == v.quote:
			if v.slashes == 0 && slashes&1 == 0 || v.slashes > 0 && slashes <= v.slashes {
				return end - slashes*min(v.slashes, 1), true
			}
		case v.quote != 0:
			if c == '\n' || c == '\r' { // it never closes: what is left of the line is the value
				return end, true
			}
		case c <= ' ' || c == 0x7f || isQuote(c) || c == ';' || c == '&' || c == '<' || v.bracket && c == ']':
			return end, true
		case c == '\\' && end+1 < len(s) && strings.IndexByte("nrtu\"'\\", s[end+1]) >= 0:
			return end, true
		}
		if c == '\\' {
			slashes++
		} else {
			slashes = 0
		}
	}
	return end, limit == len(s)
}

// named masks the value behind a telling name and the separator at i.
func (sc *redactor) named(i int) int {
	f, ok := sc.nameBefore(i)
	if !ok {
		return 0
	}
	c := sc.s[i]
	if c == ',' && !f.quoted || c == ':' && (i > 0 && sc.s[i-1] == ':' || i+1 < len(sc.s) && sc.s[i+1] == ':') {
		return 0 // a list; std::token::kind
	}
	v := sc.valueAt(i + 1)
	switch f.tells {
	case tellsHeader:
		return sc.authorization(f, v)
	case tellsCookies:
		return sc.cookies(f, v)
	}
	return sc.plain(v, f.accepts(c, v))
}

// trust is how a value must look to be masked.
type trust uint8

const (
	anyValue   trust = iota // but None, true, ${VAR}
	anyWord                 // but what a sentence goes on with
	anyAlone                // one word that is not the beginning of a sentence
	onlyRandom              // it looks random
	nothing                 // no value is
)

func (f telltale) accepts(separator byte, v value) trust {
	assigned := separator == '=' || separator == ':' && (!v.spaced || f.quoted) || v.quote != 0
	switch {
	case f.tells == tellsAssigned && !assigned:
		return nothing
	case separator == ',' || f.tells == tellsToken && !f.query:
		return onlyRandom
	case assigned || f.query:
		return anyValue
	case f.tells == tellsPassword:
		return anyAlone
	default:
		return onlyRandom
	}
}

// plain masks v if it looks as it must.
func (sc *redactor) plain(v value, must trust) int {
	s := sc.s
	end, closed := sc.end(v, v.from+maxValue)
	sc.steps += end - v.from
	body := s[v.from:end]
	if v.quote == 0 {
		body = strings.TrimRight(body, closers)
	}
	if body == "" || onlyMask(body) || dull(body) {
		return 0
	}
	if v.quote == 0 && (body[0] == '{' || strings.HasSuffix(body, "(") || strings.HasSuffix(body, "(string=")) {
		return 0 // an object, a call: what is in it is looked at by itself
	}
	if v.quote != 0 && v.bracket && strings.Contains(body, " ") {
		return 0 // what a form's check says: {"password": ["This field is required."]}
	}
	switch must {
	case nothing:
		return 0
	case anyWord:
		if prose(body) {
			return 0
		}
	case anyAlone:
		if !random(body) && !withDigits(body) && (prose(body) || strings.Contains(body, Mask) || !sc.alone(v.from+len(body))) {
			return 0
		}
	case onlyRandom:
		if !random(body) {
			return 0
		}
	}
	if !closed {
		end, _ = sc.end(v, len(s))
	}
	if v.quote == 0 {
		end = v.from + len(strings.TrimRight(s[v.from:end], closers))
	}
	return sc.put(v.from, end)
}

// closers behind a value without quotes belong to the sentence or the list around it.
const closers = ".,:)]}>"

// alone: a word that ends at i is not followed by more of a sentence.
func (sc *redactor) alone(i int) bool {
	s := sc.s
	for n := 0; i < len(s) && n < 8; i, n = i+1, n+1 {
		if strings.IndexByte("\r\n\\,;)}]&<", s[i]) >= 0 {
			return true
		}
		if s[i] != '.' {
			return false
		}
	}
	return i >= len(s)
}

// random: it looks like a key rather than like words. What has a mask in it was judged before that was there.
func random(v string) bool {
	if strings.ContainsAny(v, " (") {
		return false
	}
	var nDigits, nLetters, nUpper, nOther int
	for _, c := range []byte(v) {
		switch {
		case digit(c):
			nDigits++
		case letter(c):
			nLetters++
			if isCapital(c) {
				nUpper++
			}
		default:
			nOther++
		}
	}
	switch {
	case starred(v):
		return true
	case strings.Contains(v, Mask):
		return false
	case len(v) < 8:
		return false
	case nDigits > 0 && nLetters > 0, nDigits >= 16:
		return true
	}
	// Random letters are of either case about equally often; CamelCase has a capital in six or so.
	return len(v) >= 20 && nOther == 0 && nUpper*4 > nLetters && nUpper*4 < nLetters*3
}

// withDigits: short, but hardly a word.
func withDigits(v string) bool {
	has := charset(0)
	for _, c := range []byte(v) {
		has |= classes[c]
	}
	return len(v) >= 6 && !strings.Contains(v, Mask) && has&digits != 0 && has&alnums&^digits != 0
}

// dull: a value that stands for none, or for one that is somewhere else.
func dull(v string) bool {
	return dullWords.has(v) || strings.Trim(v, "xX") == "" || v[0] == '<' && v[len(v)-1] == '>' ||
		strings.HasPrefix(v, "${") || strings.HasPrefix(v, "{{") || strings.HasPrefix(v, "$(")
}

// prose: after "password: " it is a remark on the password.
func prose(v string) bool { return proseWords.has(v) }

var dullWords = wordSet("none null nil true false yes no undefined unset empty missing required n/a str string " +
	"redacted [redacted] <redacted> filtered [filtered] hidden [hidden] [secure] <nil>")

var proseWords = wordSet("invalid incorrect wrong expired unauthorized forbidden denied failed failure mismatch " +
	"disabled error authentication must is was not the a an in for and or rejected unknown flag option argument parameter to with " +
	"bearer basic digest")

// words is a set of words of at most 16 bytes in lower case.
type words map[string]bool

// has: any case fits.
func (w words) has(s string) bool {
	var lower [16]byte
	if len(s) > len(lower) {
		return false
	}
	for i := range len(s) {
		lower[i] = s[i]
		if isCapital(s[i]) {
			lower[i] |= 0x20
		}
	}
	return w[string(lower[:len(s)])]
}

func wordSet(list string) words {
	set := words{}
	for _, w := range strings.Fields(list) {
		set[w] = true
	}
	return set
}
