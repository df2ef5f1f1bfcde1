// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

import (
	"math"
	"strings"
	"unicode/utf8"
)

// Mask is what stands where a secret was. What tells its kind is kept before it: "Bearer ***", "sk-proj-***",
// "https://user:***@host", "password=***".
const Mask = "***"

// Redaction masks secrets in text. Its zero value masks nothing.
//
// Which secrets it knows by their look is the table in redact_kinds.go, which by the name before them the one in
// redact_names.go. It errs on the side of the secret where a telling name stands before a value, and on the side
// of the text where none does: a hash, a UUID or a request id of its own is left.
type Redaction struct {
	// Secrets masks keys, tokens, passwords, cookies and private keys.
	Secrets bool
	// Emails masks e-mail addresses.
	Emails bool
}

// Redact returns s with what is secret masked, and how many secrets there were. Without any it returns s itself
// and allocates nothing. Redacting again changes nothing. The time it takes grows linearly with s; s may hold any
// bytes, and the result is valid UTF-8 if s is.
func (r Redaction) Redact(s string) (masked string, n int) {
	sc := redactor{s: s, which: r, budget: math.MaxInt}
	sc.scan()
	return sc.result(), sc.n
}

// RedactCut returns the first limit code points of what [Redaction.Redact] makes of s, without looking at all of
// a long s: a secret that lies across the cut is seen whole, so nothing of its beginning is left. n counts the
// secrets met on the way, the last of which may lie just behind the cut.
func (r Redaction) RedactCut(s string, limit int) (masked string, n int) {
	limit = max(limit, 0)
	sc := redactor{s: s, which: r, budget: math.MaxInt}
	if limit < (math.MaxInt-maxLocal)/utf8.UTFMax {
		// An address is seen at its @: one that begins before the cut may have it up to maxLocal behind.
		sc.budget = limit*utf8.UTFMax + maxLocal
	}
	sc.scan()
	masked = sc.result()
	if len(masked) > limit { // else it has no more code points than that either
		for i := range masked {
			if limit == 0 {
				return masked[:i], sc.n
			}
			limit--
		}
	}
	return masked, sc.n
}

// redactor is one pass over a text. It stops only where a secret may begin; what is looked at there and found
// harmless is either bounded by a constant or ends before the next such place, so that no text makes it slow.
type redactor struct {
	s      string
	which  Redaction
	out    strings.Builder
	last   int // s[:last] is written
	n      int // secrets masked
	budget int // bytes to write at most, roughly
	steps  int // bytes looked at; the tests hold it against the length
}

func (sc *redactor) scan() {
	s := sc.s
	i, stop := 0, sc.stop()
	for i < stop {
		var next byte
		if i+1 < len(s) {
			next = s[i+1]
		}
		if stops[s[i]]>>(next&31)&1 == 0 {
			i++
			continue
		}
		end := sc.at(i)
		if end <= i {
			i++
			continue
		}
		i = end
		stop = sc.stop()
	}
	sc.steps += i
}

// stop is where in s the budget is spent if nothing more is masked.
func (sc *redactor) stop() int {
	if left := sc.budget - sc.out.Len(); left < len(sc.s)-sc.last {
		return sc.last + max(left, 0)
	}
	return len(sc.s)
}

// at looks for a secret at i and returns where to go on behind it, 0 when there is none.
func (sc *redactor) at(i int) int {
	switch c := sc.s[i]; {
	case c == '@' || c == '%':
		if sc.which.Emails {
			return sc.email(i)
		}
		return 0
	case !sc.which.Secrets:
		return 0
	case c == ':':
		if end := sc.userinfo(i); end > 0 {
			return end
		}
		if end := sc.telegram(i); end > 0 {
			return end
		}
		if end := sc.named(i); end > 0 {
			return end
		}
		return sc.dsn(i)
	case c == '=' || c == ',':
		return sc.named(i)
	case c == '-':
		if end := sc.privateKey(i); end > 0 {
			return end
		}
		return sc.flag(i)
	default:
		return sc.opener(i)
	}
}

// put writes the mask for s[from:to], and for stars beside it, and returns where they end: so that the mask is
// never part of a longer row of stars, which could be taken for somebody else's.
func (sc *redactor) put(from, to int) int {
	for from > sc.last && sc.s[from-1] == '*' {
		from--
	}
	for to < len(sc.s) && sc.s[to] == '*' {
		to++
	}
	if sc.n == 0 {
		sc.out.Grow(min(len(sc.s)+2*len(Mask), sc.budget))
	}
	sc.out.WriteString(sc.s[sc.last:from])
	sc.out.WriteString(Mask)
	sc.last = to
	sc.n++
	return to
}

func (sc *redactor) result() string {
	if sc.n == 0 {
		return sc.s
	}
	sc.out.WriteString(sc.s[sc.last:sc.stop()])
	return sc.out.String()
}

// stops has for every byte the bytes after it (by their last five bits) with which a secret may begin.
var stops = func() (t [256]uint32) {
	for _, c := range []byte(":=,") {
		t[c] = math.MaxUint32
	}
	t['@'] = math.MaxUint32
	t['%'] = 1 << ('4' & 31) // %40
	t['-'] = 1 << ('-' & 31)
	for _, l := range openers {
		for _, o := range l {
			for _, c := range bothCases(o.text[0], o.kind.fold) {
				t[c] |= 1 << (o.text[1] & 31) // the same for both cases of a letter
			}
		}
	}
	return t
}()

func bothCases(c byte, both bool) []byte {
	if both && letter(c) {
		return []byte{c | 0x20, c &^ 0x20}
	}
	return []byte{c}
}
