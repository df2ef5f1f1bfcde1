// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

import (
	"strings"
	"unicode/utf8"
)

// maxPassword bounds what is looked at for a password that has no quotes and no name.
const maxPassword = 256

// userinfo masks the password of a URL, and a user that is a token. The colon of :// is at i.
func (sc *redactor) userinfo(i int) int {
	s := sc.s
	from := i + len("://")
	if !strings.HasPrefix(s[i:], "://") {
		return 0
	}
	// The @ is the last one before the path: passwords that should have been escaped have some. What stops at
	// a slash is looked at once, as the next URL is behind that.
	at, colon, end := -1, -1, from
	for ; end < len(s) && !endsURL(s, end) && strings.IndexByte("/?#", s[end]) < 0; end++ {
		if s[end] == '@' {
			at = end
		} else if s[end] == ':' && colon < 0 {
			colon = end
		}
	}
	sc.steps += end - from
	if at < 0 && colon > 0 && end < len(s) && !endsURL(s, end) && !isPort(s[colon+1:end]) {
		// Not host:port either: a password with a slash in it.
		for limit := end + maxPassword; end < len(s) && (end < limit || at > 0) && !endsURL(s, end); end++ {
			if s[end] == '@' {
				at = end
			} else if at > 0 && strings.IndexByte("/?#", s[end]) >= 0 {
				break
			}
		}
		sc.steps += end - from
		if strings.Contains(s[colon:max(at, colon)], Mask) || at < 0 { // it was too far away before that was there
			return 0
		}
	}
	if at < 0 {
		return 0
	}
	user := colon
	if colon < 0 || colon > at {
		user, colon = at, -1
	}
	done := 0
	if u := s[from:user]; len(u) >= 16 && random(u) && strings.IndexByte(u, '*') < 0 {
		done = sc.put(from, user)
	}
	if colon >= 0 && colon+1 < at && !onlyMask(s[colon+1:at]) {
		done = sc.put(colon+1, at)
	}
	return done
}

func isPort(s string) bool {
	return len(s) <= 5 && strings.Trim(s, "0123456789") == ""
}

// endsURL: white space ends a URL, and a quote does that is not in the middle of it.
func endsURL(s string, i int) bool {
	switch c := s[i]; {
	case c <= ' ' || c == '<' || c == '>' || c == '`' || c == 0x7f:
		return true
	case c == '"' || c == '\'' || c == '\\':
		return i+1 == len(s) || c == '\\' && strings.IndexByte("nrt\"'", s[i+1]) >= 0 || strings.IndexByte(" ,;:)]}>\r\n", s[i+1]) >= 0
	}
	return false
}

// dsn masks the password of user:password@tcp(host:3306)/name, as go-sql-driver/mysql has it. The colon is at i,
// the first one of its word.
func (sc *redactor) dsn(i int) int {
	s := sc.s
	if i+1 >= len(s) || s[i+1] <= ' ' || i == 0 || !alnum(s[i-1]) && s[i-1] != '_' && s[i-1] != '-' {
		return 0
	}
	for from := i; from > 0 && s[from-1] > ' ' && !isQuote(s[from-1]); from-- {
		if i-from >= maxLocal || s[from-1] == ':' || s[from-1] == '*' || from == sc.last {
			sc.steps += i - from
			return 0
		}
	}
	at, end := -1, i+1
	for limit := min(len(s), i+maxPassword); end < limit && s[end] > ' ' && !isQuote(s[end]); end++ {
		if s[end] != '@' {
			continue
		}
		net := end + 1
		for net < len(s) && net-end < 12 && (alnum(s[net]) || s[net] == '+') {
			net++
		}
		if net < len(s) && s[net] == '(' {
			at = end
			break
		}
	}
	sc.steps += end - i
	if at <= i+1 || strings.HasPrefix(s[i:], "://") || strings.Contains(s[i:at], Mask) {
		return 0
	}
	return sc.put(i+1, at)
}

// telegram masks the secret part of a bot's token, 123456789:AA….
func (sc *redactor) telegram(i int) int {
	const least, bot = 30, 12
	s := sc.s
	p, end := i, i+1
	for p > sc.last && i-p < bot && digit(s[p-1]) {
		p--
	}
	if i-p < 6 || !strings.HasPrefix(s[i+1:], "AA") {
		return 0
	}
	for end < len(s) && classes[s[end]]&b64url != 0 {
		end++
	}
	sc.steps += end - i
	if end-i <= least {
		return 0
	}
	return sc.put(i+1, end)
}

// privateKey masks what is in a PEM block of a private key, all that follows if its end was cut off.
func (sc *redactor) privateKey(i int) int {
	const begin, end, maxLabel = "-----BEGIN ", "-----END", 64
	if !strings.HasPrefix(sc.s[i:], begin) {
		return 0
	}
	from := i + len(begin)
	label, _, ok := strings.Cut(sc.s[from:min(len(sc.s), from+maxLabel)], "-----")
	sc.steps += maxLabel
	if !ok || !strings.Contains(label, "PRIVATE KEY") {
		return 0
	}
	from += len(label) + len("-----")
	to := strings.Index(sc.s[from:], end)
	if to < 0 {
		to = len(sc.s)
	} else {
		to += from
	}
	if body := sc.s[from:to]; body == "" || onlyMask(body) {
		return to
	}
	return sc.put(from, to)
}

// An address: RFC 5321 has 64 bytes before the @ and 255 behind it.
const (
	maxLocal  = 64
	maxDomain = 255
)

// email masks the address whose @ (or %40) is at i. Addresses by shape that name nobody are left: git@github.com,
// lodash@4.17.21, logo@2x.png, and a user in a URL.
func (sc *redactor) email(i int) int {
	s, width := sc.s, 1
	if s[i] == '%' {
		if !strings.HasPrefix(s[i:], "%40") {
			return 0
		}
		width = len("%40")
	}
	from := i
	for from > sc.last && i-from <= maxLocal && isLocal(s[from-1]) {
		from--
	}
	for from < i && (s[from] == '.' || s[from] == '-' || s[from] == '%') {
		from++
	}
	sc.steps += i - from
	if from == i || i-from > maxLocal || s[from:i] == "git" || strings.HasSuffix(s[:from], "://") {
		return 0
	}
	to := i + width
	for to < len(s) && to-i-width <= maxDomain && (alnum(s[to]) || s[to] == '.' || s[to] == '-' || s[to] >= utf8.RuneSelf) {
		to++
	}
	sc.steps += to - i
	if to-i-width > maxDomain || strings.HasPrefix(s[to:], Mask) && !strings.HasPrefix(s[to:], Mask+"*") {
		return 0 // too long, or it was no domain before what goes on behind it was masked
	}
	domain, _, _ := strings.Cut(s[i+width:to], "..") // an ellipsis behind it
	domain = strings.TrimRight(domain, ".-")
	to = i + width + len(domain)
	if !isDomain(domain) {
		return 0
	}
	sc.put(from, i)
	sc.n-- // both halves are one
	return sc.put(i+width, to)
}

func isLocal(c byte) bool {
	return alnum(c) || strings.IndexByte("._%+-", c) >= 0 || c >= utf8.RuneSelf
}

func isDomain(d string) bool {
	dot := strings.LastIndexByte(d, '.')
	if dot <= 0 || d[0] == '.' {
		return false
	}
	top := d[dot+1:]
	for _, c := range []byte(top) {
		if !letter(c) && c < utf8.RuneSelf && !strings.HasPrefix(top, "xn--") {
			return false
		}
	}
	first, second, _ := strings.Cut(d, ".")
	version := digit(first[len(first)-1]) && strings.Trim(first, "0123456789") == "" && digit(second[0])
	picture := len(first) == 2 && digit(first[0]) && first[1] == 'x'
	return len(top) >= 2 && !version && !picture
}
