// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux && !darwin

package main

import "os"

// terminalWidth is how many columns a file's terminal has, and whether it is one. Here nobody tells the columns.
func terminalWidth(f *os.File) (columns int, terminal bool) {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return 0, false
	}
	return 80, true
}
