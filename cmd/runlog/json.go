// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// printJSON writes a line. Characters that could steer a terminal only stand inside of strings, so they can be
// escaped wherever they stand, and mean the same to who reads the JSON.
func (c *cli) printJSON(v json.Marshaler) error {
	// Not json.Marshal: it would put HTML's escapes in.
	b, err := v.MarshalJSON()
	if err != nil {
		return err
	}
	if _, err = c.out.Write(append(escape(b), '\n')); err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	return nil
}

func escape(b []byte) []byte {
	harmful := func(r rune) bool {
		return r >= 0x7f && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) && r <= 0xffff
	}
	if bytes.IndexFunc(b, harmful) < 0 {
		return b
	}
	out := make([]byte, 0, len(b)+16)
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if harmful(r) {
			out = fmt.Appendf(out, `\u%04x`, r)
		} else {
			out = append(out, b[:size]...)
		}
		b = b[size:]
	}
	return out
}

// note tells something beside the answer.
func (c *cli) note(text string) { _, _ = fmt.Fprintln(c.errors, text) }
