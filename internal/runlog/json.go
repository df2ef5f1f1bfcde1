// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlog

// hexDigits is for control characters.
const hexDigits = "0123456789abcdef"

// AppendJSONString writes s as a JSON string in the one canonical form of this package: clean text
// (see [CleanText]), only what must be escaped is escaped, control characters as \u00xx.
//
// Canonical JSON further means: no spaces, object keys sorted by their bytes, each once.
func AppendJSONString(b []byte, s string) []byte {
	s = CleanText(s)
	b = append(b, '"')
	begin := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[begin:i]...)
		begin = i + 1
		if c < ' ' {
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		} else {
			b = append(b, '\\', c)
		}
	}
	return append(append(b, s[begin:]...), '"')
}
