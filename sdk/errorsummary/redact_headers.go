// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

import "strings"

// authSchemes may begin the value of Authorization. Of those with parameters nothing behind them is kept.
var authSchemes = []struct {
	name       string
	parameters bool
}{
	{"bearer", false}, {"basic", false}, {"token", false}, {"apikey", false}, {"api-key", false}, {"key", false},
	{"negotiate", false}, {"ntlm", false}, {"sharedkey", false}, {"sharedkeylite", false}, {"sso-key", false},
	{"digest", true}, {"aws4-hmac-sha256", true}, {"oauth", true}, {"hmac", true}, {"signature", true}, {"hawk", true},
}

// authorization masks the value of an Authorization header and keeps the scheme.
func (sc *redactor) authorization(f telltale, v value) int {
	s := sc.s
	for _, a := range authSchemes {
		end := v.from + len(a.name)
		if end >= len(s) || s[end] != ' ' || !strings.EqualFold(s[v.from:end], a.name) {
			continue
		}
		for end < len(s) && s[end] == ' ' {
			end++
		}
		if a.parameters {
			return sc.rest(f, v, end)
		}
		v.from = end
		if v.quote != 0 {
			return sc.plain(v, anyValue)
		}
		return sc.plain(v, anyAlone)
	}
	if v.quote != 0 || v.bracket {
		return sc.plain(v, anyValue)
	}
	if end := sc.plain(v, anyAlone); end > 0 {
		return end
	}
	// A scheme nobody knows, and what belongs to it.
	end, _ := sc.end(v, v.from+maxValue)
	sc.steps += end - v.from
	if end < len(s) && s[end] == ' ' && !strings.Contains(s[v.from:end], Mask) {
		v.from = end + 1
		return sc.plain(v, onlyRandom)
	}
	return 0
}

// rest masks from on to the end of a header's value.
func (sc *redactor) rest(f telltale, v value, from int) int {
	end := sc.headerEnd(f, v, from)
	body := strings.TrimSpace(sc.s[from:end])
	sc.steps += end - from
	if body == "" || onlyMask(body) {
		return 0
	}
	return sc.put(from, end)
}

// headerEnd is where the value of a header ends whose text is looked at from on: at its quote, at the quote around
// the whole header (curl -H '…'), at the bracket, at the end of the line. The steps are the caller's.
func (sc *redactor) headerEnd(f telltale, v value, from int) int {
	s := sc.s
	if v.quote != 0 {
		v.from = from
		end, _ := sc.end(v, len(s))
		return end
	}
	around := byte(0)
	begin := f.from
	for begin > 0 && f.from-begin < 16 && (alnum(s[begin-1]) || s[begin-1] == '-') { // the rest of its name
		begin--
	}
	if begin > 0 && isQuote(s[begin-1]) && !f.quoted {
		around = s[begin-1]
	}
	for end := from; end < len(s); end++ {
		switch c := s[end]; {
		case c == '\n' || c == '\r' || around != 0 && c == around || v.bracket && c == ']':
			return end
		case c == '\\' && end+1 < len(s) && (s[end+1] == 'n' || s[end+1] == 'r'):
			return end
		}
	}
	return len(s)
}

// cookieAttributes of Set-Cookie are no secrets.
var cookieAttributes = wordSet("path domain expires max-age samesite secure httponly priority partitioned version comment")

// cookies masks the values of cookies and keeps their names.
func (sc *redactor) cookies(f telltale, v value) int {
	s := sc.s
	// Only what has a cookie in it is read to its end, so that text that has none is not read again and again.
	name := v.from
	for name < len(s) && name-v.from < maxValue && isCookieName(s[name]) {
		name++
	}
	sc.steps += name - v.from
	if name == v.from || name == len(s) || s[name] != '=' {
		return 0
	}
	end := sc.headerEnd(f, v, v.from)
	for at := v.from; at < end; {
		next := strings.IndexByte(s[at:end], ';')
		if next < 0 {
			next = end
		} else {
			next += at
		}
		from := at
		if eq := strings.IndexByte(s[at:next], '='); eq >= 0 {
			from += eq + 1
		}
		keep := maxAttribute // of "Secure" and "Path=/"
		if from > at && !cookieAttributes.has(strings.TrimSpace(s[at:from-1])) {
			keep = 0
		}
		if body := strings.TrimSpace(s[from:next]); len(body) > keep && !onlyMask(body) {
			sc.put(from, next)
		}
		at = next + 1
	}
	return end
}

// maxAttribute: a date has 29 bytes. Something longer is no attribute.
const maxAttribute = 40

func isCookieName(c byte) bool {
	return c > ' ' && c < 0x7f && !isQuote(c) && strings.IndexByte("=;,()<>@:\\/[]?{}", c) < 0
}

// flag masks what follows --password and its like on a command line.
func (sc *redactor) flag(i int) int {
	s := sc.s
	j := i + 2
	if !strings.HasPrefix(s[i:], "--") || i > 0 && s[i-1] == '-' {
		return 0
	}
	for j < len(s) && j-i < maxNameLook/2 && (alnum(s[j]) || s[j] == '-' || s[j] == '_') {
		j++
	}
	sc.steps += j - i
	if j == i+2 || j+1 >= len(s) || s[j] != ' ' {
		return 0
	}
	f, ok := sc.nameBefore(j)
	if !ok || f.tells == tellsHeader || f.tells == tellsCookies {
		return 0
	}
	v := sc.valueAt(j)
	must := anyWord
	if f.tells == tellsToken || s[j+1] == '-' { // the latter is the next flag as a rule
		must = onlyRandom
	}
	return sc.plain(v, must)
}
