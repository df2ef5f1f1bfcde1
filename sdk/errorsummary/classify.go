// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

import "strings"

// facts are what is known of a failure beside its type and text.
type facts struct {
	http, grpc int
	ev         evidence
}

// judge decides on one failure, link by link.
type judge struct {
	*scanner
	*table
	// byStatus is what the status of an inner link said. A provider's own code further out says more.
	byStatus *rule
}

func decide(in Input, ev evidence) (code string, retry bool, name string) {
	s := scanners.Get().(*scanner)
	defer scanners.Put(s)
	if r := s.decide(in, ev); r != nil {
		return r.code, r.retryable, r.name
	}
	return CodeUnknown, false, RuleNone
}

const (
	// maxJudged is how many bytes of a text are judged. What is longer quotes a dump or a document; what happened
	// is told before it or behind it, and the causes of a stack stand at one of its ends in every runtime.
	maxJudged = 64 << 10
	// maxType is how much of a type's name is judged, from its end: the last part is what counts.
	maxType = 1 << 10
)

// ends returns text, or the beginning and the end of a long one, on lines of their own.
func ends(text string) string {
	if len(text) <= maxJudged {
		return text
	}
	const half = maxJudged / 2
	tail := text[len(text)-half:]
	if i := strings.IndexAny(tail[:half/2], " \n"); i >= 0 {
		tail = tail[i+1:] // a word cut in two may read like another one
	}
	return text[:half] + "\n" + tail
}

// decide reads the table; nil is UNKNOWN. The Python library's two rules, and the breakers, see the whole of
// type and message; then the links of the chain are judged one by one, the innermost first.
func (s *scanner) decide(in Input, ev evidence) *rule {
	j := judge{scanner: s, table: compiled()}
	s.plainGo = strings.HasPrefix(in.Type, "*errors.") && in.HTTPStatus == 0 && in.GRPCStatus <= 0
	known := facts{in.HTTPStatus, in.GRPCStatus, ev}
	in.Type = in.Type[max(0, len(in.Type)-maxType):]
	typed := j.typeFindings(in.Type)
	whole := typed
	if len(in.Message) > maxJudged {
		for i := range j.anywhere {
			n := &j.anywhere[i]
			found, steps := n.in(in.Message)
			if s.steps += steps; found {
				whole.note(rankFirst, finding{rule: n.rule + 1})
			}
		}
	}
	in.Message, in.Stack = ends(in.Message), ends(in.Stack)
	s.scan(j.texts, in.Message, segmented(in.Type), &whole)
	if r := j.early(&whole, ev); r != nil {
		return r
	}

	outermost := link{typ: in.Type, text: unwrap(in.Message)}
	causes := s.split(in.Message)
	if causes.n >= 2 {
		outermost.text = causes.dropOutermost().text
	} else {
		if causes.n == 1 && len(causes.links[0].span) < len(strings.TrimSpace(in.Message)) { // frames were cut
			outermost.text = causes.links[0].text
			if in.Type == "" {
				outermost.typ = causes.links[0].typ
			}
		}
		causes = s.split(in.Stack)
		if causes.n > 0 {
			if l := causes.dropOutermost(); in.Message == "" {
				outermost.text = l.text
				if in.Type == "" {
					outermost.typ = l.typ
				}
			}
		}
	}
	for i := range causes.n {
		if r := j.link(causes.inner(i), facts{}); r != nil {
			return r
		}
	}
	if typed == (findings{}) { // the type says nothing; perhaps the text begins with one
		if typ, text := headType(outermost.text); typ != "" {
			if r := j.link(link{typ: typ, text: text}, known); r != nil {
				return r
			}
		}
	}
	if causes.n == 0 && outermost.text == in.Message { // nothing to unwrap: it has been read
		if r := j.choose(&whole, known, outermost.text); r != nil {
			return r
		}
	} else if r := j.link(outermost, known); r != nil {
		return r
	}
	return j.byStatus
}

func (s *scanner) split(text string) chain {
	c := splitChain(text)
	s.steps += c.steps
	return c
}

// segmented: the texts of Go's errors are chains, a: b: c. Other runtimes name their types with a capital letter.
func segmented(typ string) bool {
	last := typ[strings.LastIndexAny(typ, "./")+1:]
	return strings.Contains(typ, "::") || last == "" || typ[0] == '*' || last[0] < 'A' || last[0] > 'Z' || typ == "syscall.Errno"
}

// typeFindings judges a type's name. What is rather a code ("insufficient_quota", "ECONNRESET") is judged as a
// text as well: the conventions' error.type may hold either.
func (j *judge) typeFindings(typ string) (f findings) {
	j.scan(j.types, typ, false, &f)
	if strings.ToLower(typ) == typ || strings.ToUpper(typ) == typ {
		j.scan(j.texts, typ, false, &f)
	}
	return f
}

func (j *judge) link(l link, known facts) *rule {
	f := j.typeFindings(l.typ)
	j.scan(j.texts, l.text, segmented(l.typ), &f)
	if r := j.early(&f, known.ev); r != nil {
		return r
	}
	return j.choose(&f, known, l.text)
}

// early chooses among the blocks before unwrapping.
func (j *judge) early(f *findings, ev evidence) *rule {
	if n, ok := j.says["timeout"]; ok && ev.timeout {
		f.note(rankFirst, finding{rule: n + 1})
	}
	return j.firstOf(f, rankFirst, rankBreaker)
}

// choose chooses among the other blocks.
func (j *judge) choose(f *findings, known facts, text string) *rule {
	if n, ok := j.says["cancelled"]; ok && known.ev.cancelled {
		f.note(rankType, finding{rule: n + 1})
	}
	status := j.status(f, known, text)
	if n := f.best[rankGeneric].rule; status != nil && status.block == "http class" && n != 0 && j.rules[n-1].block == "telling" {
		status = &j.rules[n-1] // says what a 400 or a 500 leaves open
	}
	// In a: b: c the cause stands right. Only a status outranks it: that belongs to the whole.
	provider, generic := f.best[rankProvider], f.best[rankGeneric]
	if status == nil && provider.rule != 0 && generic.segment > provider.segment {
		return &j.rules[generic.rule-1]
	}
	if provider.rule != 0 {
		return &j.rules[provider.rule-1]
	}
	if j.byStatus != nil {
		return nil
	}
	if r := j.firstOf(f, rankType); r != nil {
		return r
	}
	if status != nil {
		j.byStatus = status
		return nil
	}
	return j.firstOf(f, rankNamed, rankGeneric, rankMention, rankLast, rankLastMention)
}

func (j *judge) firstOf(f *findings, ranks ...rank) *rule {
	for _, r := range ranks {
		if n := f.best[r].rule; n != 0 {
			return &j.rules[n-1]
		}
	}
	return nil
}

// status reads the rows of the gRPC status, then those of the HTTP status. What the text tells counts where
// nothing else does: a stream that failed after its 200 says so in its text.
func (j *judge) status(f *findings, known facts, text string) *rule {
	httpStatus, grpcStatus := leadingStatus(text)
	if httpStatus == 0 {
		httpStatus = f.http
	}
	if grpcStatus == 0 {
		grpcStatus = f.grpc
	}
	if known.grpc > 0 {
		grpcStatus = known.grpc
	}
	if known.http >= 400 {
		httpStatus = known.http
	}
	if 0 < grpcStatus && grpcStatus < len(j.grpc) && j.grpc[grpcStatus] >= 0 {
		return &j.rules[j.grpc[grpcStatus]]
	}
	if 0 < httpStatus && httpStatus < len(j.http) && j.http[httpStatus] >= 0 {
		return &j.rules[j.http[httpStatus]]
	}
	return nil
}

// maxWrappers bounds how many wrappers are taken off: a pipeline in a stage in a pipeline is already rare.
const maxWrappers = 8

// unwrap takes "Stage 'x' failed: " and "Stage x failed: " (the framework's two graphs) off the front of a
// message, so that what the stage itself said can be judged.
func unwrap(text string) string {
	for range maxWrappers {
		rest, ok := strings.CutPrefix(text, "Stage ")
		if !ok {
			return text
		}
		name, inner, ok := strings.Cut(rest, " failed: ")
		if !ok || strings.ContainsAny(name, "\r\n") {
			return text
		}
		text = inner
	}
	return text
}

// hasSuffixFold: ASCII suffixes only, so lengths in bytes compare.
func hasSuffixFold(s, lowerSuffix string) bool {
	return len(s) >= len(lowerSuffix) && strings.EqualFold(s[len(s)-len(lowerSuffix):], lowerSuffix)
}
